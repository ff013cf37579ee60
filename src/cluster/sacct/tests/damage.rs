//! Texts that were cut, joined, or hold what breaks their form.

use proptest::prelude::*;

use super::*;

#[test]
fn a_separator_in_a_name_is_found_by_the_shape_of_the_rest() {
    for release in ["22.05", "23.02.8", "26.05.3"] {
        // In the middle of 112 fields, and in the submit line as well.
        let all = fixture(release, "sacct-all.psv");
        let last = fixture(release, "sacct-duplicates.psv");
        for read in [&all, &last] {
            let odd = names(read).into_iter().find(|name| name.contains("we|ird"));
            let odd = odd.unwrap_or_else(|| panic!("{release} {:?}", said(read)));
            assert!(odd.starts_with("we|ird `name` $(touch ") && odd.ends_with(')'), "{release} {odd}");
        }
    }
}

#[test]
fn a_row_whose_fields_cannot_be_told_apart_is_said_and_left_out() {
    let read = read_bytes(
        b"Comment|JobID|State|JobName|Elapsed\n\
          x|1|COMPLETED|ok|00:00:01\n\
          x|2|COMPLETED|2|COMPLETED|a|b|c\n\
          7|1|COMPLETED|3|COMPLETED|a|00:00:01\n",
    );
    assert_eq!(names(&read), ["ok"]);
    assert!(said(&read)[0].starts_with("2 lines not understood"), "{:?}", said(&read));
}

#[test]
fn newlines_in_free_text_split_no_record() {
    let read = own("5|5|ann|ai|COMPLETED|0:0|0:0|9|600|1000000|1000010|1000020||gpu01|two\n\
         lines, and\n123 a third\n\
         6|6|ann|ai|FAILED|1:0|0:0|9|600|1000000|1000010|1000020||gpu01|one\n\
         6.batch|6.batch|||FAILED|1:0||9||1000010|1000010|1000020||gpu01|ba\ntch\n");
    assert_eq!(names(&read), ["two\nlines, and\n123 a third", "one"]);
    assert_eq!(read.problems, []);

    // Another text behind the rows is no name, after a row of a job or of a step.
    for row in ["", "5.batch|5.batch|||FAILED|1:0||9||1000010|1000010|1000020||gpu01|batch\n"] {
        let noise = "some line that is in another file\n".repeat(3000);
        let read = own(&format!(
            "5|5|ann|ai|COMPLETED|0:0|0:0|9|600|1000000|1000010|1000020||gpu01|lr\n{row}{noise}"
        ));
        assert!(names(&read)[0].len() <= 1100, "{}", names(&read)[0].len());
        assert!(said(&read)[0].starts_with("2970 lines not understood"), "{:?}", said(&read));
    }

    // In the middle the record goes on until it has all its fields.
    let read = read_bytes(
        b"JobID|Comment|State|JobName|Elapsed\n\
          5|three\nphysical\nlines|COMPLETED|a|00:00:01\n\
          6|unfinished\n\
          7|fine|FAILED|b|00:00:01\n",
    );
    assert_eq!(names(&read), ["a", "b"]);
    assert!(said(&read)[0].starts_with("1 line not understood: \u{201c}6|unfinished"), "{:?}", said(&read));
    let read = read_bytes(
        b"Comment|JobID|State|JobName\nfine|5|COMPLETED|a\nthree\nphysical\nlines|6|FAILED|b\nodd\nfine|7|FAILED|c\n",
    );
    assert_eq!(names(&read), ["a", "b", "c"]);
    // Which row these belong to, nobody can say; it was a comment.
    assert!(said(&read)[0].starts_with("2 lines not understood"), "{:?}", said(&read));
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_harm_nothing() {
    let mut text =
        b"JobID|State|Elapsed|JobName\n1|COMPLETED|00:00:01|a\xff\xfeb\n2|\xff|00:00:01|c\n".to_vec();
    text.extend_from_slice(b"\xff\xff\n");
    let read = read_bytes(&text);
    assert_eq!(names(&read), ["a\u{fffd}\u{fffd}b", "c\n\u{fffd}\u{fffd}"]);
    assert_eq!(states(&read), [State::Completed, State::Unknown]);
    assert_eq!(said(&read)[0], "1 row: a state that is cut or not known to this program");
}

#[test]
fn a_text_that_is_no_accounting_says_so() {
    let read = read_bytes(b"Slurm accounting storage is disabled\n");
    assert_eq!(read.attempts(), []);
    assert_eq!(
        said(&read),
        [
            "1 line not understood: \u{201c}Slurm accounting storage is disabled\u{201d}",
            "no header with the field JobID was found: nothing could be read"
        ]
    );
    assert_eq!(said(&read_bytes(b"")).len(), 1);
}

#[test]
fn remarks_and_a_second_text_of_one_form_are_taken() {
    let one =
        "JobID|State|ExitCode|Elapsed|Submit|Start|JobName|\n1|FAILED|1:0|00:00:01|1000000|1000001|a|\n";
    let two = one.replace("1|FAILED", "2|FAILED");
    let text = format!("sacct: warning: something\n{one}\n{two}");
    let read = read_bytes(text.as_bytes());
    assert_eq!(names(&read), ["a", "a"]);
    assert_eq!(said(&read).len(), 1, "{:?}", said(&read));
}

/// Gives its text in pieces of these sizes.
struct Pieces<'t> {
    text: &'t [u8],
    sizes: Vec<usize>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.pop().unwrap_or(7).min(into.len()).min(self.text.len());
        let (piece, rest) = self.text.split_at(size);
        into[..size].copy_from_slice(piece);
        self.text = rest;
        Ok(size)
    }
}

proptest! {
    #[test]
    fn it_does_not_matter_in_which_pieces_the_text_comes(
        sizes in proptest::collection::vec(1usize..5000, 0..50),
        file in prop::sample::select(vec!["sacct-duplicates.psv", "sacct-fixed-width.txt"]),
    ) {
        let path = format!("{}/tests/fixtures/slurm/22.05/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read(path).unwrap();
        let in_pieces = read(Pieces { text: &text, sizes }).unwrap();
        prop_assert_eq!(in_pieces, read_bytes(&text));
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        header in prop::sample::select(vec![
            "JobID|State|JobName", "JobName|JobID|Comment|State|Elapsed|Submit", "JobID|#State|#JobName",
            "JobID      State  JobName\n---------- ----- -------", "State JobID\n-- --", "JobID State\n--", "",
        ]),
        rows in "([0-9_+.\\[\\]%,-]{0,12}[|# ]{0,3}[A-Z+ ]{0,12}[|# ]{0,3}[\\x00-\\x7fé名]{0,12}\n?){0,12}",
    ) {
        read_bytes(format!("{header}\n{rows}").as_bytes());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read_bytes(&bytes);
        let mut with_header = b"Comment|JobID|State|WorkDir|JobName\n".to_vec();
        with_header.extend(bytes);
        read_bytes(&with_header);
    }

    #[test]
    fn a_damaged_row_costs_no_other_row(
        at in 0usize..2000,
        byte in any::<u8>(),
    ) {
        let rows: String = (1..=40).map(|id| format!("{id}|{id}|ann|ai|FAILED|1:0|0:0|9|600|1000000|1000010|1000020||gpu01|n{id}\n")).collect();
        let mut text = format!("{}\n{rows}", FIELDS.replace(',', "|")).into_bytes();
        let start = text.len() - rows.len();
        let at = start + at % rows.len();
        text[at] = byte;
        let read = read_bytes(&text);
        // A newline that is lost joins two rows, and one that comes may split one.
        prop_assert!(read.attempts().len() >= 38, "{:?}", read.problems);
    }
}
