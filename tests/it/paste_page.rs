//! `paste page` in a real browser at the size of a phone.

use std::path::PathBuf;

use crate::support::chromium::Chromium;
use crate::support::cluster::skipped;
use crate::support::planted::Recorded;

/// Where a picture is kept, if somebody wants to look at it.
fn keep(name: &str, png: &str) {
    if let Some(folder) = std::env::var_os("HANDOVER_TEST_PICTURES") {
        std::fs::write(PathBuf::from(folder).join(format!("{name}.base64")), png).unwrap();
    }
}

/// The page of the recorded sweep, in a file.
fn page_of(recorded: &Recorded) -> PathBuf {
    let words = ["paste", "page", "--cluster", "../cluster_state.txt"];
    let answer = recorded.sandbox.handover_in(&recorded.project, words).expect(0);
    let file = recorded.sandbox.root().join("page.html");
    std::fs::write(&file, answer.stdout()).unwrap();
    file
}

#[test]
fn a_tap_copies_exactly_the_line_and_nothing_in_the_page_is_wrong() {
    let recorded = Recorded::new();
    let file = page_of(&recorded);
    for dark in [false, true] {
        let Some(mut browser) = Chromium::open(&file, dark) else {
            return skipped("paste_page", "there is no chromium, so no page was opened");
        };
        browser.may_read_the_clipboard();
        let lines = browser.value("[...document.querySelectorAll('pre')].map(line => line.textContent)");
        let lines: Vec<&str> = lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        assert!(
            lines.len() >= 2 && lines.iter().all(|line| line.starts_with("cd ~/lrgrid && ")),
            "{lines:?}"
        );
        for (at, line) in lines.iter().enumerate() {
            let button = format!("button[data-line=line-{}]", at + 1);
            browser.tap(&button);
            browser.wait_for(&format!("document.querySelector({button:?}).textContent === 'Copied'"));
            assert_eq!(browser.value("navigator.clipboard.readText()"), *line);
        }
        // Nothing is wider than the phone, and every button is as large as a thumb.
        assert_eq!(browser.value("document.documentElement.scrollWidth"), 360);
        let least = "Math.min(...[...document.querySelectorAll('button')].map(b => \
                     Math.min(b.getBoundingClientRect().height, b.getBoundingClientRect().width)))";
        assert!(browser.value(least).as_f64().unwrap() >= 44.0);
        // Ages count from now, by the clock of the phone.
        let ages = browser.value("[...document.querySelectorAll('time')].map(time => time.textContent)");
        let ages = ages.as_array().unwrap();
        assert!(
            !ages.is_empty()
                && ages
                    .iter()
                    .all(|age| age.as_str().unwrap().ends_with(" old")
                        || age.as_str().unwrap().contains("clock")),
            "{ages:?}"
        );
        assert!(browser.value("document.querySelectorAll('rect').length").as_u64().unwrap() >= 200);
        browser.value("scrollTo(0, 0)");
        keep(if dark { "dark" } else { "light" }, &browser.picture(false));
        keep(if dark { "dark-whole" } else { "light-whole" }, &browser.picture(true));
        assert!(browser.said.is_empty(), "{:?}", browser.said);
    }
}

#[test]
fn names_from_outside_are_text_in_the_page() {
    let recorded = Recorded::at("<img src=x onerror=document.title='pwned'>&amp;".as_ref());
    let hostile = "</title><script>document.title='pwned'</script>";
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let text = std::fs::read_to_string(&state).unwrap();
    assert!(text.contains("lrgrid"));
    // The jobs' name, wherever the machine part of the file says it.
    let text: Vec<String> = text
        .lines()
        .map(|line| {
            if line.starts_with(':') {
                line.replace("\tlrgrid", &format!("\t{hostile}"))
            } else {
                line.to_owned()
            }
        })
        .collect();
    std::fs::write(&state, text.join("\n") + "\n").unwrap();
    let file = page_of(&recorded);
    let html = std::fs::read_to_string(&file).unwrap();
    assert!(html.contains("&lt;/title&gt;&lt;script&gt;") && !html.contains(hostile), "{html}");
    assert!(!html.contains("http://") && !html.contains("https://"), "something is loaded from elsewhere");
    let Some(mut browser) = Chromium::open(&file, false) else {
        return skipped("paste_page", "there is no chromium, so no page was opened");
    };
    assert_eq!(browser.value("document.querySelectorAll('script').length"), 1);
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);
    assert!(!browser.value("document.title").as_str().unwrap().starts_with("pwned"));
    assert!(browser.value("document.body.textContent").as_str().unwrap().contains(hostile));
    // The policy of the page itself lets no other script run.
    browser.value("(() => { const s = document.createElement('script'); s.textContent = 'document.title=\"pwned\"'; document.body.append(s); })()");
    assert_ne!(browser.value("document.title"), "pwned");
    assert!(browser.said.iter().any(|said| said.contains("Content Security Policy")), "{:?}", browser.said);
}
