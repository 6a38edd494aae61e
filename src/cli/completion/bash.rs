//! For bash.

use super::{branches, value_branches, value_pattern};

pub(super) fn script() -> String {
    format!(
        "_mailnook() {{
    local word last=\"\" path=\"\" next=\"\" current=\"${{COMP_WORDS[COMP_CWORD]}}\"
    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
        [[ $word == = ]] && continue
        case \"$last\" in {pattern}) last=\"\"; continue ;; esac
        last=\"$word\"
        [[ $word == -* ]] || path=\"$path $word\"
    done
    [[ $current == = ]] && current=\"\"
    case \"$last\" in
{values}    esac
    case \"$path\" in
{branches}    esac
    COMPREPLY=($(compgen -W \"$next\" -- \"$current\"))
}}
complete -o default -F _mailnook mailnook
",
        pattern = value_pattern(),
        values = value_branches(|words| format!("COMPREPLY=($(compgen -W \"{words}\" -- \"$current\"))")),
        branches = branches()
    )
}
