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

    #[test]
    fn remotes_lose_logins_and_queries() {
        assert_eq!(url_without_credentials("https://u:p@host:1/x.git?token=1"), "https://host:1/x.git");
        assert_eq!(url_without_credentials("git@host:x.git"), "git@host:x.git");
        assert_eq!(url_without_credentials("../bare.git"), "../bare.git");
    }
}
