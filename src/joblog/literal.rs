//! Which text a match of a pattern must contain.
//!
//! A scan of gigabytes looks for these texts first, all at once, and tries the
//! pattern only on lines that have one.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

/// Shorter texts are everywhere, and no help.
const SHORTEST: usize = 3;
/// More texts for one pattern are no help either.
const MOST: usize = 64;

/// Words that stand in most lines of a training's log.
const COMMON: [&str; 8] = ["loss", "Loss", "step", "Step", "epoch", "Epoch", "train", "INFO"];

/// Texts of which each match of the pattern contains at least one; empty if
/// there are no such texts, or none that would help.
pub(super) fn required(pattern: &str) -> Vec<Vec<u8>> {
    let Ok(hir) = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern) else {
        return Vec::new();
    };
    best(&hir).map(|texts| texts.0).unwrap_or_default()
}

/// Texts that are worth looking for.
struct Texts(Vec<Vec<u8>>);

impl Texts {
    fn new(mut texts: Vec<Vec<u8>>) -> Option<Texts> {
        texts.sort();
        texts.dedup();
        let is_usable = !texts.is_empty()
            && texts.len() <= MOST
            && texts.iter().all(|text| text.len() >= SHORTEST && text.iter().any(u8::is_ascii_alphanumeric));
        is_usable.then_some(Texts(texts))
    }

    fn from_seq(seq: &Seq) -> Option<Texts> {
        Texts::new(seq.literals()?.iter().map(|literal| literal.as_bytes().to_vec()).collect())
    }

    /// How much they help: the shortest decides; of equals the fewer. What
    /// stands in every line of a training helps nobody.
    fn worth(&self) -> (usize, usize) {
        let is_common = |text: &Vec<u8>| COMMON.iter().any(|word| word.as_bytes() == text);
        let help = |text: &Vec<u8>| if is_common(text) { 1 } else { text.len() };
        let least = self.0.iter().map(help).min().unwrap_or(0);
        (least.min(12), usize::MAX - self.0.len())
    }
}

fn better(one: Option<Texts>, other: Option<Texts>) -> Option<Texts> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.worth() > one.worth() { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The most helpful texts that every match of this part contains.
fn best(hir: &Hir) -> Option<Texts> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => None,
        HirKind::Literal(literal) => Texts::new(vec![literal.0.to_vec()]),
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => best(&repeated.sub),
        HirKind::Repetition(_) => None,
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(best(part)?.0);
            }
            Texts::new(all)
        }
        HirKind::Concat(parts) => {
            let flat = Hir::concat(parts.iter().map(uncaptured).collect());
            let parts = match flat.kind() {
                HirKind::Concat(parts) => parts,
                _ => return best(&flat),
            };
            // What begins at each place, which joins neighbours (`oom[-_]kill`), and each part on its own.
            let joined = (0..parts.len()).fold(None, |found, at| better(found, beginning(&parts[at..])));
            parts.iter().fold(joined, |found, part| better(found, best(part)))
        }
    }
}

/// Groups are no border for a text.
fn uncaptured(part: &Hir) -> Hir {
    match part.kind() {
        HirKind::Capture(capture) => uncaptured(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(uncaptured).collect()),
        _ => part.clone(),
    }
}

fn beginning(parts: &[Hir]) -> Option<Texts> {
    let mut extractor = Extractor::new();
    extractor.limit_class(4).limit_total(MOST);
    Texts::from_seq(&extractor.extract(&Hir::concat(parts.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_contains_one_of_the_texts() {
        for (pattern, texts) in [
            ("DUE TO TIME LIMIT", vec!["DUE TO TIME LIMIT"]),
            (r"Detected \d+ oom[-_]kill event", vec![" oom-kill event", " oom_kill event"]),
            (r"^(?:\w+\.)*(\w*(?:Error|Exception)): ", vec!["Error: ", "Exception: "]),
            (r"(?:abc|defg)+x?", vec!["abc", "defg"]),
            ("(?:abcdef)?xyz", vec!["xyz"]),
            ("abc|.*", vec![]),
            (r"\d+", vec![]),
            ("a.b", vec![]),
            // Rare if short, rather than in every line.
            (r"loss\d+(?:nan|NaN)", vec!["NaN", "nan"]),
            ("----+", vec![]),
        ] {
            let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(required(pattern), texts, "{pattern}");
        }
    }
}
