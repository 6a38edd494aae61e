//! For zsh: the file is the function, which zsh loads when it is needed (`#compdef`).

use super::{branches, value_branches, value_pattern};

pub(super) fn script() -> String {
    format!(
        "#compdef mailnook
local word last=\"\" path_=\"\" next=\"\"
for word in \"${{(@)words[2,CURRENT-1]}}\"; do
    case \"$last\" in {pattern}) last=\"\"; continue ;; esac
    last=\"$word\"
    [[ $word == -* ]] || path_=\"$path_ $word\"
done
if [[ ${{words[CURRENT]}} == --*=* ]]; then
    last=\"${{words[CURRENT]%%=*}}\"
    compset -P '*='
fi
case \"$last\" in
{values}esac
case \"$path_\" in
{branches}esac
compadd -- ${{=next}} || _files
",
        pattern = value_pattern(),
        values =
            value_branches(|words| if words.is_empty() { "_files".to_owned() } else { format!("compadd -- {words}") }),
        branches = branches()
    )
}
