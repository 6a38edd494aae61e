//! Holds the sources to the table of layers in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The table of ARCHITECTURE.md: module to the modules it may use.
fn layers() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let table = text.split("| module | may use | owns |").nth(1).expect("the table of layers");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].to_owned(), cells[2].split_whitespace().map(str::to_owned).collect())
    })
    .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code without comments and without the tests at a file's end, which may look around.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first names behind `crate::` or `mailnook::`, those in braces too.
fn uses(code: &str, root: &str) -> BTreeSet<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for rest in code.split(root).skip(1) {
        match rest.strip_prefix('{') {
            None => drop(found.insert(name(rest))),
            Some(list) => {
                let mut depth = 0_i32;
                let mut item = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => drop(found.insert(name(std::mem::take(&mut item).trim()))),
                        _ if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                found.insert(name(item.trim()));
            }
        }
    }
    found.remove("");
    found
}

fn module_of(path: &Path) -> String {
    let inner = path.strip_prefix("src").unwrap();
    let first = inner.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_use_only_what_is_below_them() {
    let layers = layers();
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let allowed = layers.get(&module).unwrap_or_else(|| panic!("{module} is not in the table of ARCHITECTURE.md"));
        let code = code(&path);
        let mut used = uses(&code, "crate::");
        used.extend(uses(&code, "mailnook::"));
        for other in used {
            let known = layers.contains_key(&other);
            if known && other != module && !allowed.contains(&other) {
                wrong.push(format!("{} uses {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn foreign_types_stay_where_they_belong() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let (module, code) = (module_of(&path), code(&path));
        for (name, owner) in
            [("heed::", "store"), ("imap_codec", "imap"), ("futures_rustls", "net"), ("env_logger", "cli")]
        {
            if code.contains(name) && module != owner && module != "main" {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
        let unsafe_word = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        if unsafe_word && path != Path::new("src/store/env.rs") {
            wrong.push(format!("{} has unsafe code", path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
