use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// How often each rule found something.
pub type Redactions = BTreeMap<String, usize>;

static PRIVATE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    )
});
static URL_CREDENTIALS: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]{0,15}://)(?P<login>[^\s/?#'\x22<>@]*(?:@[^\s/?#'\x22<>@]*)*)@",
    )
});

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file")
}

/// Replaces secrets by a placeholder that names the rule and the length, and
/// counts them: private keys, and logins in URLs.
///
/// A bare user name in a URL (`ssh://git@host`) is no secret and stays.
pub fn redact<'t>(text: &'t str, counts: &mut Redactions) -> Cow<'t, str> {
    let mut count = |rule: &str, length: usize| {
        *counts.entry(rule.to_owned()).or_default() += 1;
        format!("[redacted {rule}, {length} characters]")
    };
    let mut text = Cow::Borrowed(text);
    if text.contains("PRIVATE KEY") {
        let replaced = PRIVATE_KEY
            .replace_all(&text, |found: &regex::Captures| count("private-key", found[0].chars().count()))
            .into_owned();
        text = Cow::Owned(replaced);
    }
    if text.contains("://") {
        let replaced = URL_CREDENTIALS
            .replace_all(&text, |found: &regex::Captures| {
                let login = &found["login"];
                // A token is often the whole user part; a name is short.
                if !login.contains(':') && login.len() < 20 {
                    return found[0].to_owned();
                }
                format!("{}{}@", &found["scheme"], count("url-credentials", login.chars().count()))
            })
            .into_owned();
        text = Cow::Owned(replaced);
    }
    text
}

/// A remote's URL without user, password, or query: what may be stored.
pub fn url_without_credentials(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let Some(scheme) = scheme else {
        // scp form, `user@host:path`; the user is no secret there.
        return rest.to_owned();
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> (String, usize) {
        let mut counts = Redactions::new();
        let text = redact(text, &mut counts).into_owned();
        (text, counts.values().sum())
    }

    #[test]
    fn logins_in_urls_go() {
        let (text, count) = redacted("git clone https://me:s3cr3t@host/x and ssh://git@host/y");
        assert_eq!(
            text,
            "git clone https://[redacted url-credentials, 9 characters]@host/x and ssh://git@host/y"
        );
        assert_eq!(count, 1);
        assert!(!redacted("https://ghp_0123456789abcdefghij0123456789abcd@host/x").0.contains("ghp_"));
        assert!(!redacted("https://a:b@c@host/x").0.contains("b@c"));
    }

    #[test]
    fn private_keys_go_even_when_cut() {
        let whole = "x\n-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\ny";
        assert!(!redacted(whole).0.contains("abc"));
        assert!(redacted(whole).0.ends_with("\ny"));
        assert!(!redacted("-----BEGIN RSA PRIVATE KEY-----\nabc").0.contains("abc"));
    }

    #[test]
    fn remotes_lose_logins_and_queries() {
        assert_eq!(url_without_credentials("https://u:p@host:1/x.git?token=1"), "https://host:1/x.git");
        assert_eq!(url_without_credentials("git@host:x.git"), "git@host:x.git");
        assert_eq!(url_without_credentials("../bare.git"), "../bare.git");
    }
}
