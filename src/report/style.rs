use anstream::adapter::strip_str;

/// What a piece of text is, from which its colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A heading or a name that the eye should find.
    Strong,
    /// All is well.
    Good,
    /// Look at this.
    Watch,
    /// This is wrong.
    Bad,
    /// Less important.
    Faint,
}

/// Colours text; the colour is taken off again where it is not wanted.
///
/// Text from outside must have been escaped before, so that it cannot bring
/// its own sequences.
pub fn paint(style: Style, text: &str) -> String {
    let code = match style {
        Style::Strong => "1",
        Style::Good => "32",
        Style::Watch => "33",
        Style::Bad => "31",
        Style::Faint => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// The columns that text takes on a terminal, its colours aside.
pub(super) fn width(text: &str) -> usize {
    strip_str(text).map(unicode_width::UnicodeWidthStr::width).sum()
}
