//! For zsh: the file is the function, which zsh loads when it is needed (`#compdef`).

use super::{branches, value_pattern, values};
use std::fmt::Write;

pub(super) fn script() -> String {
    let mut text = format!(
        "#compdef mailnook
local word last=\"\" path_=\"\" next=\"\"
for word in \"${{(@)words[2,CURRENT-1]}}\"; do
    case \"$last\" in {}) last=\"\"; continue ;; esac
    last=\"$word\"
    [[ $word == -* ]] || path_=\"$path_ $word\"
done
if [[ ${{words[CURRENT]}} == --*=* ]]; then
    last=\"${{words[CURRENT]%%=*}}\"
    compset -P '*='
fi
case \"$last\" in
",
        value_pattern()
    );
    for (name, words) in values() {
        let offer = if words.is_empty() { "_files".to_owned() } else { format!("compadd -- {}", words.join(" ")) };
        let _ = writeln!(text, "    {name}) {offer}; return ;;");
    }
    let _ = write!(
        text,
        "esac
case \"$path_\" in
{}esac
compadd -- ${{=next}} || _files
",
        branches()
    );
    text
}
