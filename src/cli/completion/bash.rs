//! For bash.

use super::{branches, value_pattern, values};
use std::fmt::Write;

pub(super) fn script() -> String {
    let mut text = format!(
        "_mailnook() {{
    local word last=\"\" path=\"\" next=\"\" current=\"${{COMP_WORDS[COMP_CWORD]}}\"
    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
        [[ $word == = ]] && continue
        case \"$last\" in {}) last=\"\"; continue ;; esac
        last=\"$word\"
        [[ $word == -* ]] || path=\"$path $word\"
    done
    [[ $current == = ]] && current=\"\"
    case \"$last\" in
",
        value_pattern()
    );
    for (name, words) in values() {
        let words = words.join(" ");
        let _ = writeln!(text, "        {name}) COMPREPLY=($(compgen -W \"{words}\" -- \"$current\")); return ;;");
    }
    let _ = write!(
        text,
        "    esac
    case \"$path\" in
{}    esac
    COMPREPLY=($(compgen -W \"$next\" -- \"$current\"))
}}
complete -o default -F _mailnook mailnook
",
        branches()
    );
    text
}
