//! Finds the secrets of a file that need not fit into memory, chunk by chunk.

use std::io::{self, Read};

use super::find::secrets;

/// So much is read at once, in bytes.
const CHUNK: usize = 4 * 1024 * 1024;
/// What begins within so many bytes of the end of what was read waits for more: no secret of the table is longer.
const LONGEST: usize = 96 * 1024;
/// So much before a place decides what stands there: names, commands, the line of a key.
const BEFORE: usize = 8 * 1024;
/// More findings than this are counted and no longer named.
pub const MOST_FINDINGS: usize = 1000;

/// Where a secret stands in a file; of the secret itself nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static str,
    /// Its line, the first being 1.
    pub line: usize,
    /// Its first byte in the file, the first being 0.
    pub offset: u64,
    /// Its length in bytes.
    pub length: usize,
}

/// What stands in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first thousand, in their order.
    pub named: Vec<Finding>,
    /// How many there are, those that are not named included.
    pub count: usize,
}

/// The secrets of a file, of any length, in bounded memory: a few MiB for what
/// is read at once, and the findings.
///
/// Any bytes may be given: text, notebooks (strings of JSON), tables, also
/// what is no text. Secrets that span chunks are found like others.
///
/// # Errors
/// Whatever reading gives; nothing is said of a file that was read in part.
pub fn secrets_in_file(reader: impl Read) -> io::Result<Findings> {
    in_chunks(reader, CHUNK)
}

fn in_chunks(mut reader: impl Read, chunk: usize) -> io::Result<Findings> {
    let mut findings = Findings::default();
    let mut text: Vec<u8> = Vec::new();
    // Of the file: where the text begins; where the place is up to which all is said, and its line; where the last secret ends.
    let (mut begin, mut settled, mut line, mut end) = (0u64, 0u64, 1usize, 0u64);
    loop {
        let got = reader.by_ref().take(chunk as u64).read_to_end(&mut text)?;
        let is_end = got < chunk;
        // What begins from here on waits for the next chunk.
        let until = begin + if is_end { text.len() } else { text.len().saturating_sub(LONGEST) } as u64;
        for secret in secrets(&text) {
            let offset = begin + secret.range.start as u64;
            if offset < settled.max(end) || offset >= until {
                continue;
            }
            line += newlines(&text, begin, settled, offset);
            settled = offset;
            end = begin + secret.range.end as u64;
            findings.count += 1;
            if findings.named.len() < MOST_FINDINGS {
                findings.named.push(Finding { rule: secret.rule, line, offset, length: secret.range.len() });
            }
        }
        if is_end {
            return Ok(findings);
        }
        line += newlines(&text, begin, settled, until);
        settled = settled.max(until);
        let keep_from = settled.saturating_sub(BEFORE as u64).max(begin);
        text.drain(..(keep_from - begin) as usize);
        begin = keep_from;
    }
}

/// How many lines end between two places of the file.
fn newlines(text: &[u8], begin: u64, from: u64, to: u64) -> usize {
    let [from, to] = [from, to].map(|at| (at.saturating_sub(begin) as usize).min(text.len()));
    if from >= to { 0 } else { text[from..to].iter().filter(|byte| **byte == b'\n').count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made up; in two parts, so that no scanner takes it for a real one.
    const TOKEN: &str = concat!("hf_", "QmRzTbVxKpLdWsYgNcJhFaEuMiOtPqXvBw");

    fn key(lines: usize) -> String {
        let body = "MIIEowIBAAKCAQEAx7Kp2mQ9vL4tR8wZb3NcQmRzTbVxKpLdWsYgNcJhFaEuMiOt\n".repeat(lines);
        format!("-----BEGIN RSA PRIVATE {}-----\n{body}-----END RSA PRIVATE {0}-----\n", "KEY")
    }

    fn whole(text: &str) -> Vec<(&'static str, u64, usize)> {
        secrets(text.as_bytes()).into_iter().map(|s| (s.rule, s.range.start as u64, s.range.len())).collect()
    }

    fn streamed(text: &str, chunk: usize) -> Vec<(&'static str, u64, usize)> {
        let found = in_chunks(text.as_bytes(), chunk).unwrap();
        assert_eq!(found.count, found.named.len());
        found.named.into_iter().map(|f| (f.rule, f.offset, f.length)).collect()
    }

    #[test]
    fn chunks_find_what_the_whole_text_holds() {
        let filler = "epoch 3 step 120 loss 0.512 lr 3.0e-04 tokens/s 9310\n";
        let mut text = String::new();
        for nth in 0..40 {
            text.push_str(&filler.repeat(60 + nth * 7));
            text.push_str(&format!("export HF_TOKEN={TOKEN}\npassword: hunter{nth}Hunter\n"));
            if nth % 8 == 0 {
                text.push_str(&key(20 + nth * 10));
            }
        }
        let all = whole(&text);
        assert!(all.len() >= 85, "{}", all.len());
        for chunk in [1000, 4096, 65_537, 100_000, 1_000_000] {
            assert_eq!(streamed(&text, chunk), all, "{chunk}");
        }
    }

    #[test]
    fn a_secret_at_each_place_of_a_boundary_is_found_once() {
        for shift in 0..60 {
            let text = format!("{}\n{TOKEN}\n{}", "x".repeat(4000 + shift), "y ".repeat(120_000));
            assert_eq!(streamed(&text, 4040), whole(&text), "{shift}");
            assert_eq!(whole(&text).len(), 1);
        }
    }

    #[test]
    fn a_key_of_many_lines_across_chunks_is_one_finding() {
        let text = format!("{}{}{}", "a line\n".repeat(3000), key(500), "a line\n".repeat(30_000));
        for chunk in [8_192, 30_000, 50_000] {
            let found = in_chunks(text.as_bytes(), chunk).unwrap();
            assert_eq!(found.count, 1, "{found:?}");
            assert_eq!((found.named[0].rule, found.named[0].line), ("private-key", 3001));
        }
    }

    #[test]
    fn a_notebook_says_where_and_nothing_of_the_secret() {
        let text = format!(
            "{{\n \"cells\": [\n  {{\"cell_type\": \"code\", \"source\": [\n    \"import os\\n\",\n    \"os.environ[\\\"HF_TOKEN\\\"] = \\\"{TOKEN}\\\"\\n\"\n  ]}}\n ]\n}}\n"
        );
        let found = secrets_in_file(text.as_bytes()).unwrap();
        let [finding] = found.named.as_slice() else { panic!("{found:?}") };
        assert_eq!((finding.line, finding.length), (5, TOKEN.len()));
        assert_eq!(finding.offset as usize, text.find(TOKEN).unwrap());
        assert!(!format!("{found:?}").contains("QmRz"));
    }

    #[test]
    fn more_findings_than_anybody_reads_are_counted() {
        let text = format!("{TOKEN}\n").repeat(MOST_FINDINGS + 500);
        let found = secrets_in_file(text.as_bytes()).unwrap();
        assert_eq!((found.named.len(), found.count), (MOST_FINDINGS, MOST_FINDINGS + 500));
        assert_eq!(found.named[999].line, 1000);
    }

    #[test]
    fn a_file_that_cannot_be_read_to_its_end_is_an_error() {
        struct Torn;
        impl Read for Torn {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("torn"))
            }
        }
        assert!(secrets_in_file(Torn).is_err());
    }
}
