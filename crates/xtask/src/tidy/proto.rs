//! The protos: everything in them is explained, an rpc says who may call it, and what is not set is told from what is.

use crate::tree::Tree;

/// One noun a file stays readable in one sitting.
const MOST_LINES: usize = 250;

/// What the comment of every rpc says.
const RPC_SAYS: [&str; 4] = ["Caller:", "Idempotency:", "Effect:", "Errors:"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let protos = tree.files().filter(|(path, _)| path.starts_with("proto/") && path.ends_with(".proto"));
    protos.flat_map(|(path, text)| of_file(path, text)).collect()
}

fn of_file(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.lines().count() > MOST_LINES {
        problems.push(format!("{path}: over {MOST_LINES} lines; one noun a file"));
    }
    if text.lines().filter(|line| line.starts_with("service ")).count() > 1 {
        problems.push(format!("{path}: two services; one noun a file"));
    }
    if !text.starts_with("// ") {
        problems.push(format!("{path}:1: begins without a comment on its noun"));
    }
    let (mut comment, mut in_enum) = (String::new(), false);
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if let Some(words) = line.strip_prefix("//") {
            comment.push_str(words);
            continue;
        }
        in_enum = line.starts_with("enum ") || (in_enum && line != "}");
        let at = |what: &str| format!("{path}:{}: {what}", number + 1);
        if explains_itself(line) && comment.is_empty() {
            problems.push(at("has no comment: meaning, unit, and what unset means"));
        }
        if line.starts_with("rpc ") {
            let missing = RPC_SAYS.iter().filter(|word| !comment.contains(**word));
            problems.extend(missing.map(|word| at(&format!("the rpc's comment does not say `{word}`"))));
        }
        if in_enum && line.contains("= 0") && !line.contains("_UNSPECIFIED") {
            problems.push(at("an enum's zero means unset: name it …_UNSPECIFIED"));
        }
        comment.clear();
    }
    problems
}

/// Whether a line declares something that needs a comment: an rpc, a type or a numbered field or value.
fn explains_itself(line: &str) -> bool {
    let declares = ["rpc ", "service ", "message ", "enum ", "oneof "].iter().any(|word| line.starts_with(word));
    declares
        || (line.ends_with(';') && line.contains(" = ") && !line.starts_with("syntax") && !line.starts_with("option"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    const GOOD: &str = "// Things.\nsyntax = \"proto3\";\n\n// Readers.\nservice ThingService {\n  // Reads.\n  \
        // Caller: operator. Idempotency: read only. Effect: none.\n  // Errors: none.\n  rpc Get(A) returns (A);\n}\n\n\
        // Kinds.\nenum Kind {\n  // Unset.\n  KIND_UNSPECIFIED = 0;\n}\n\n// One.\nmessage A {\n  // Id.\n  string id = 1;\n}\n";

    fn problems(text: &str) -> usize {
        check(&tree(&[("proto/gallra/v1/thing.proto", text)])).len()
    }

    #[test]
    fn everything_is_explained() {
        assert_eq!(problems(GOOD), 0);
        for comment in ["// Things.\n", "// Readers.\n", "  // Unset.\n", "// One.\n", "  // Id.\n"] {
            assert_eq!(problems(&GOOD.replace(comment, "")), 1, "{comment}");
        }
        for word in RPC_SAYS {
            assert_eq!(problems(&GOOD.replace(word, "")), 1, "{word}");
        }
    }

    #[test]
    fn zero_is_unset_and_a_file_has_one_noun() {
        assert_eq!(problems(&GOOD.replace("KIND_UNSPECIFIED", "KIND_FILES")), 1);
        assert_eq!(problems(&format!("{GOOD}// Other.\nservice OtherService {{\n}}\n")), 1);
        assert_eq!(problems(&format!("{GOOD}{}", "\n".repeat(250))), 1);
    }
}
