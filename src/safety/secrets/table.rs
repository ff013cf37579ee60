//! What secrets look like: the table that [`super::find`] works through.
//!
//! The forms are those that the providers document for their own keys, or that
//! their keys have been seen to have since. Long prefixes come before short ones
//! of the same beginning: of rules that fit at one place the longest match wins.

/// One kind of secret.
pub(super) struct Rule {
    /// What the placeholder and the counts call it.
    pub id: &'static str,
    /// Literal beginnings, at least one of which every secret of the kind has.
    pub begins: &'static [&'static str],
    /// What a secret looks like from its beginning on.
    pub pattern: &'static str,
    /// So many letters and digits before the beginning belong to the secret; fewer, and it is none.
    pub before: usize,
    /// The least entropy in bits per character; below it, it is a placeholder.
    pub entropy: f32,
}

/// So many bits has each character of something random in hexadecimal digits, less what a short sample lacks.
const HEX: f32 = 2.8;
/// The same for letters and digits.
const ALNUM: f32 = 3.0;
/// For secrets whose form leaves no doubt.
const ANY: f32 = 1.5;

const fn rule(
    id: &'static str,
    begins: &'static [&'static str],
    pattern: &'static str,
    entropy: f32,
) -> Rule {
    Rule { id, begins, pattern, entropy, before: 0 }
}

/// One that is known by a literal in its middle.
const fn inner(
    id: &'static str,
    begins: &'static [&'static str],
    before: usize,
    pattern: &'static str,
    entropy: f32,
) -> Rule {
    Rule { id, begins, pattern, entropy, before }
}

/// Keys that say themselves what they are.
pub(super) const TOKENS: &[Rule] = &[
    // Models, data and tracking.
    rule("huggingface-token", &["hf_"], r"hf_[A-Za-z0-9]{30,60}", ALNUM),
    rule("huggingface-org-token", &["api_org_"], r"api_org_[A-Za-z0-9]{30,60}", ALNUM),
    rule("wandb-key", &["wandb_v1_"], r"wandb_v1_[A-Za-z0-9_-]{40,160}", ALNUM),
    rule("wandb-local-key", &["local-"], r"local-[0-9a-f]{40}\b", HEX),
    rule("kaggle-token", &["KGAT_"], r"KGAT_[A-Za-z0-9]{28,64}", HEX),
    rule(
        "openai-key",
        &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-", "sess-"],
        r"(?:sk-(?:proj|svcacct|admin|None)|sess)-[A-Za-z0-9_-]{24,240}",
        ALNUM,
    ),
    rule("anthropic-key", &["sk-ant-"], r"sk-ant-[A-Za-z0-9]{2,12}-[A-Za-z0-9_-]{24,200}", ALNUM),
    rule("openrouter-key", &["sk-or-"], r"sk-or-(?:v[0-9]-)?[0-9a-f]{40,80}", HEX),
    rule("langfuse-key", &["sk-lf-"], r"sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", HEX),
    rule("secret-key", &["sk-"], r"sk-[A-Za-z0-9]{20,100}", ALNUM),
    rule("groq-key", &["gsk_"], r"gsk_[A-Za-z0-9]{40,64}", ALNUM),
    rule("xai-key", &["xai-"], r"xai-[A-Za-z0-9]{60,100}", ALNUM),
    rule("perplexity-key", &["pplx-"], r"pplx-[A-Za-z0-9]{40,64}", ALNUM),
    rule("replicate-token", &["r8_"], r"r8_[A-Za-z0-9]{34,44}", ALNUM),
    rule("nvidia-key", &["nvapi-"], r"nvapi-[A-Za-z0-9_-]{50,100}", ALNUM),
    rule("together-key", &["tgp_v1_"], r"tgp_v1_[A-Za-z0-9_-]{30,64}", ALNUM),
    rule("fireworks-key", &["fw_"], r"fw_[A-Za-z0-9]{22,48}", ALNUM),
    rule("cerebras-key", &["csk-"], r"csk-[A-Za-z0-9]{40,64}", ALNUM),
    rule("runpod-key", &["rpa_"], r"rpa_[A-Za-z0-9]{36,60}", ALNUM),
    rule("langsmith-key", &["lsv2_"], r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", HEX),
    rule("pinecone-key", &["pcsk_"], r"pcsk_[A-Za-z0-9_]{40,90}", ALNUM),
    rule("jina-key", &["jina_"], r"jina_[A-Za-z0-9_-]{40,90}", ALNUM),
    rule("tavily-key", &["tvly-"], r"tvly-(?:dev-)?[A-Za-z0-9-]{24,64}", ALNUM),
    rule("anyscale-key", &["aph0_", "esecret_"], r"(?:aph0_|esecret_)[A-Za-z0-9_-]{20,120}", ALNUM),
    rule("modal-token", &["ak-", "as-"], r"a[ks]-[A-Za-z0-9]{22}\b", ALNUM),
    rule("e2b-key", &["e2b_"], r"e2b_[0-9a-f]{40}", HEX),
    rule("voyage-key", &["pa-"], r"pa-[A-Za-z0-9_-]{40,60}", ALNUM),
    // Clouds and storage.
    rule("aws-access-key-id", &["AKIA", "ASIA", "ABIA", "ACCA"], r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}\b", 2.5),
    rule("aws-bedrock-key", &["ABSK"], r"ABSK[A-Za-z0-9+/]{60,280}={0,2}", ALNUM),
    rule(
        "aws-signature",
        &["X-Amz-Signature=", "X-Amz-Security-Token=", "X-Goog-Signature="],
        r"X-(?:Amz-S(?:ignature|ecurity-Token)|Goog-Signature)=[A-Za-z0-9%+/=._-]{32,4000}",
        HEX,
    ),
    rule("google-api-key", &["AIza"], r"AIza[A-Za-z0-9_-]{35}", ALNUM),
    rule("google-key", &["AQ.Ab8"], r"AQ\.Ab8[A-Za-z0-9_-]{40,60}", ALNUM),
    rule("google-oauth-token", &["ya29."], r"ya29\.[A-Za-z0-9_-]{20,2000}", ALNUM),
    rule("google-client-secret", &["GOCSPX-"], r"GOCSPX-[A-Za-z0-9_-]{24,40}", ALNUM),
    rule("google-refresh-token", &["1//0"], r"1//0[A-Za-z0-9_-]{40,200}", ALNUM),
    rule(
        "azure-account-key",
        &["AccountKey=", "SharedAccessKey="],
        r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,100}={0,2}",
        ALNUM,
    ),
    rule("azure-sas-signature", &["sig="], r"sig=[A-Za-z0-9%+/]{40,80}={0,2}", ALNUM),
    inner("azure-long-key", &["JQQJ99"], 52, r"JQQJ99[A-Za-z0-9]{20,34}", ALNUM),
    inner("azure-client-secret", &["8Q~", "7Q~"], 3, r"[78]Q~[A-Za-z0-9_~.-]{31,37}", ALNUM),
    rule("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], r"do[por]_v1_[0-9a-f]{64}", HEX),
    rule("databricks-token", &["dapi", "dkea"], r"(?:dapi|dkea)[0-9a-f]{32}(?:-[0-9])?\b", HEX),
    rule("backblaze-key", &["K00"], r"K00[0-9][A-Za-z0-9+/]{27}\b", 3.4),
    rule("cloudflare-token", &["v1.0-"], r"v1\.0-[0-9a-f]{24}-[0-9a-f]{140,150}", HEX),
    rule("vault-token", &["hvs.", "hvb.", "hvr."], r"hv[sbr]\.[A-Za-z0-9_-]{20,300}", ALNUM),
    rule(
        "doppler-token",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."],
        r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9._-]{36,80}",
        ALNUM,
    ),
    rule("tailscale-key", &["tskey-"], r"tskey-[a-z]{2,12}-[A-Za-z0-9-]{16,80}", ALNUM),
    rule("age-secret-key", &["AGE-SECRET-KEY-1"], r"AGE-SECRET-KEY-1[A-Z0-9]{50,60}", ALNUM),
    rule("munge-credential", &["MUNGE:"], r"MUNGE:[A-Za-z0-9+/=]{40,8000}:?", ALNUM),
    inner(
        "azure-key",
        &["+ACR", "+ASt", "+AEh", "+ABa", "+AIo", "+AMC", "+ARm"],
        42,
        r"\+A(?:CR|St|Eh|Ba|Io|MC|Rm)[A-Za-z0-9]{5,8}={0,2}",
        1.0,
    ),
    rule("aws-signature-v2", &["&Signature="], r"&Signature=[A-Za-z0-9%+/=]{20,120}", ALNUM),
    rule(
        "fly-token",
        &["fm1a_", "fm1r_", "fm2_", "fo1_"],
        r"f(?:m1[ar]|m2|o1)_[A-Za-z0-9+/=_-]{36,2000}",
        ALNUM,
    ),
    rule("dropbox-token", &["sl.u.", "sl.B", "sl.A"], r"sl\.(?:u\.|[AB])[A-Za-z0-9_-]{60,1400}", ALNUM),
    rule("vault-service-token", &["s."], r"s\.[A-Za-z0-9]{24}\b", 3.4),
    rule("ceph-key", &["AQ"], r"AQ[A-Za-z0-9+/]{36,38}==", ALNUM),
    rule(
        "directory-password-hash",
        &["{SSHA", "{SHA", "{CRYPT}", "{SMD5}", "{MD5}"],
        r"\{(?:S?SHA(?:256|512)?|CRYPT|S?MD5)\}[A-Za-z0-9+/=$.]{16,200}",
        ALNUM,
    ),
    // Code and packages.
    rule("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"gh[pousr]_[A-Za-z0-9]{36,255}", ALNUM),
    rule("github-fine-grained-token", &["github_pat_"], r"github_pat_[A-Za-z0-9_]{36,255}", ALNUM),
    rule(
        "gitlab-token",
        &[
            "glpat-", "gldt-", "glptt-", "glrt-", "glcbt-", "glft-", "glsoat-", "glimt-", "glagent-",
            "gloas-", "glffct-",
        ],
        r"gl(?:pat|dt|ptt|rt|cbt|ft|soat|imt|agent|oas|ffct)-[A-Za-z0-9_.-]{20,120}",
        ALNUM,
    ),
    rule("gitlab-runner-token", &["GR1348941"], r"GR1348941[A-Za-z0-9_-]{20}", ALNUM),
    rule("bitbucket-token", &["ATBB", "ATCTT3"], r"AT(?:BB|CTT3)[A-Za-z0-9_=-]{28,220}", ALNUM),
    rule("atlassian-token", &["ATATT3"], r"ATATT3[A-Za-z0-9_=-]{60,240}", ALNUM),
    rule("npm-token", &["npm_"], r"npm_[A-Za-z0-9]{36}\b", ALNUM),
    rule("pypi-token", &["pypi-AgE"], r"pypi-AgE[A-Za-z0-9_-]{50,1000}", ALNUM),
    rule("docker-token", &["dckr_pat_", "dckr_oat_"], r"dckr_[po]at_[A-Za-z0-9_-]{24,64}", ALNUM),
    rule("crates-token", &["cio"], r"cio[A-Za-z0-9]{32}\b", 3.6),
    rule("rubygems-key", &["rubygems_"], r"rubygems_[0-9a-f]{48}", HEX),
    rule(
        "conda-token",
        &["/t/"],
        r"/t/(?:[a-z]{2}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_-]{24,100})/",
        ALNUM,
    ),
    rule("artifactory-key", &["AKCp"], r"AKCp[A-Za-z0-9]{50,100}", ALNUM),
    rule("nuget-key", &["oy2"], r"oy2[a-z0-9]{43}\b", ALNUM),
    rule("anaconda-token", &["an-"], r"an-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", HEX),
    rule("prefect-key", &["pnu_", "pnb_"], r"pn[ub]_[A-Za-z0-9]{30,44}", ALNUM),
    // People, messages, money.
    rule(
        "slack-token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxc-", "xoxd-", "xoxe."],
        r"xox[abcdeprs][-.][A-Za-z0-9.%-]{20,250}",
        ANY,
    ),
    rule("slack-app-token", &["xapp-"], r"xapp-[0-9]-[A-Za-z0-9]+-[0-9]+-[A-Za-z0-9]{20,100}", ANY),
    rule(
        "slack-webhook",
        &["hooks.slack.com/"],
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,80}",
        ANY,
    ),
    rule("mattermost-webhook", &["/hooks/"], r"/hooks/[a-z0-9]{26}\b", ALNUM),
    rule("teams-webhook", &["office.com/webhook"], r"office\.com/webhook[A-Za-z0-9@/-]{60,240}", ANY),
    rule("discord-webhook", &["/api/webhooks/"], r"/api/webhooks/[0-9]{15,21}/[A-Za-z0-9_-]{50,90}", ANY),
    inner("telegram-token", &[":AA"], 10, r":AA[A-Za-z0-9_-]{33}\b", ALNUM),
    rule(
        "stripe-key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
        r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{16,250}",
        ALNUM,
    ),
    rule("elevenlabs-key", &["sk_"], r"sk_[0-9a-f]{48}\b", HEX),
    rule("sendgrid-key", &["SG."], r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}", ALNUM),
    rule("mailgun-key", &["key-"], r"key-[0-9a-f]{32}\b", HEX),
    rule("twilio-key", &["SK"], r"SK[0-9a-f]{32}\b", HEX),
    rule("notion-token", &["ntn_", "secret_"], r"(?:ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{43})\b", ALNUM),
    rule("linear-key", &["lin_api_", "lin_oauth_"], r"lin_(?:api|oauth)_[A-Za-z0-9]{32,80}", ALNUM),
    rule(
        "grafana-token",
        &["glsa_", "glc_"],
        r"gl(?:sa_[A-Za-z0-9]{32}_[0-9a-f]{8}|c_[A-Za-z0-9+/=]{32,400})",
        ALNUM,
    ),
    rule("sentry-token", &["sntrys_", "sntryu_"], r"sntry[su]_[A-Za-z0-9+/=_]{40,400}", ALNUM),
    rule("newrelic-key", &["NRAK-"], r"NRAK-[A-Z0-9]{27}", ALNUM),
    rule("postman-key", &["PMAK-"], r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", HEX),
    rule(
        "supabase-key",
        &["sbp_", "sb_secret_"],
        r"(?:sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{20,60})",
        HEX,
    ),
    rule("planetscale-token", &["pscale_"], r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,64}", ALNUM),
    rule(
        "shopify-token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
        HEX,
    ),
    rule("onepassword-token", &["ops_ey"], r"ops_ey[A-Za-z0-9+/=_-]{100,2000}", ALNUM),
    rule("airtable-token", &["pat"], r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", HEX),
    inner("terraform-token", &[".atlasv1."], 14, r"\.atlasv1\.[A-Za-z0-9_=-]{60,80}", ALNUM),
    // Forms that anybody may issue.
    rule(
        "private-key-base64",
        &["LS0tLS1CRUdJTiB"],
        // `-----BEGIN [RSA|EC|DSA|OPENSSH|ENCRYPTED|PGP] PRIVATE KEY`, as far as base64 shows it.
        r"LS0tLS1CRUdJTiB(?:QUklW|SU0EgUFJJ|FQyBQUklW|EU0EgUFJJ|PUEVOU1NI|FTkNSWVBU|QR1AgUFJJ)[A-Za-z0-9+/]{60,24000}={0,2}",
        ALNUM,
    ),
    // `{"auths":` of a registry's logins.
    rule("registry-logins-base64", &["eyJhdXRocyI6"], r"eyJhdXRocyI6[A-Za-z0-9+/]{40,16000}={0,2}", ALNUM),
    inner("zerotier-identity", &[":0:"], 10, r":0:[0-9a-f]{128}:[0-9a-f]{128}\b", HEX),
    rule(
        "jwt",
        &["eyJ"],
        r"eyJ[A-Za-z0-9_-]{8,4000}\.(?:eyJ[A-Za-z0-9_-]{4,16000}\.[A-Za-z0-9_-]{8,4000}|[A-Za-z0-9_-]{0,1000}\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,16000}\.[A-Za-z0-9_-]{16,64})",
        ALNUM,
    ),
    rule(
        "password-hash",
        &["$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$7$", "$argon2", "$apr1$", "$scrypt$"],
        r"\$(?:2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}|argon2(?:id|i|d)\$[A-Za-z0-9=,$+/.-]{40,300}|(?:[1567y]|apr1|scrypt)\$[A-Za-z0-9=,./$]{24,300})",
        ALNUM,
    ),
];

/// A name beside which stands a secret.
pub(super) struct Named {
    /// What the placeholder and the counts call it.
    pub id: &'static str,
    /// How the name ends, in lower case and with `_` for any of `_-.` and blanks; or is written without.
    pub names: &'static [&'static str],
    /// What the value looks like; the whole value must.
    pub pattern: &'static str,
    /// How sure one may be that such a value is a secret.
    pub gate: Gate,
}

/// What a value must be, beyond its pattern, to count as a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Anything that a person or a machine made up: no plain word, no number, no path.
    Password,
    /// Only what looks random.
    Random,
}

/// Values that only their names give away. The first name that fits decides.
pub(super) const NAMED: &[Named] = &[
    Named {
        id: "wandb-key",
        names: &["wandb_api_key", "wandb_key", "wandb_login"],
        // Also the base64 of a manifest.
        pattern: r"[A-Za-z0-9_+/=-]{32,160}",
        gate: Gate::Random,
    },
    Named { id: "kaggle-key", names: &["kaggle_key"], pattern: r"[0-9a-f]{32}", gate: Gate::Random },
    Named {
        id: "aws-secret-key",
        names: &["aws_secret_access_key", "aws_secret_key", "secretaccesskey", "secret_access_key"],
        // Stores that speak S3 take any password.
        pattern: r"[^\s]{8,100}",
        gate: Gate::Password,
    },
    Named {
        id: "aws-session-token",
        names: &["aws_session_token", "sessiontoken", "aws_security_token"],
        pattern: r"[A-Za-z0-9/+=]{60,4000}",
        gate: Gate::Random,
    },
    Named {
        id: "notebook-token",
        names: &["notebookapp_token", "serverapp_token", "identityprovider_token"],
        pattern: r".{6,200}",
        gate: Gate::Password,
    },
    Named {
        id: "password",
        names: &[
            "password",
            "passwd",
            "passphrase",
            "pwd",
            "userpass",
            "_pass",
            "ldap_bindpw",
            "bindpw",
            "pgpassword",
            "mysql_pwd",
            "storagepass",
            "requirepass",
            "masterauth",
            "passe",
            "pw",
            "assword",
            "comppass",
            "dbpass",
            "psk",
            "sshpass",
            "rootpw",
            "authtok",
            "passwort",
            "kennwort",
        ],
        pattern: r".{4,200}",
        gate: Gate::Password,
    },
    Named {
        id: "secret",
        names: &[
            "secret",
            "secret_key",
            "client_secret",
            "secretkey",
            "clientsecret",
            "signing_key",
            "encryption_key",
            "hmac_key",
            "munge_key",
            "cookie_secret",
            "fernet_key",
            "hs256_key",
            "jwt_key",
            "session_key",
            "secret_id",
        ],
        pattern: r".{8,400}",
        gate: Gate::Password,
    },
    Named {
        id: "api-key",
        names: &[
            "api_key",
            "apikey",
            "access_key",
            "accesskey",
            "auth_key",
            "authkey",
            "account_key",
            "accountkey",
            "storage_key",
            "storagekey",
            "subscription_key",
            "private_token",
            "x_api_key",
            "dataverse_key",
            "license_key",
            "service_key",
            "_ai_key",
            "openai_key",
            "admin_key",
            "app_key",
            "api_secret",
            "server_key",
            "private_key",
            "privatekey",
            "presharedkey",
            "preshared_key",
            "client_key_data",
            "api_keys",
            "apikeys",
            "allowed_keys",
        ],
        pattern: r"[^\s]{12,400}",
        gate: Gate::Random,
    },
    Named {
        id: "token",
        names: &[
            "token",
            "authtoken",
            "accesstoken",
            "refreshtoken",
            "bearertoken",
            "idtoken",
            "_pat",
            "slurm_jwt",
            "access_code",
            "authcode",
        ],
        pattern: r"[^\s]{12,4000}",
        gate: Gate::Random,
    },
    Named {
        id: "session-cookie",
        names: &[
            "session_id",
            "sessionid",
            "csrftoken",
            "csrf_token",
            "_xsrf",
            "session_cookie",
            "connect_sid",
            "remember_token",
            "connect_sid",
            "remember_token",
        ],
        pattern: r"[^\s]{16,400}",
        gate: Gate::Random,
    },
    Named {
        id: "credentials",
        names: &[
            "credential",
            "credentials",
            "authorization",
            "proxy_authorization",
            "auth",
            "_authtoken",
            "_auth",
        ],
        pattern: r"[^\s]{16,4000}",
        gate: Gate::Random,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own_and_a_beginning() {
        let mut ids: Vec<&str> = TOKENS.iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert!(all >= 60, "{all}");
        assert!(
            TOKENS.iter().all(|rule| !rule.begins.is_empty() && rule.begins.iter().all(|b| b.len() >= 2))
        );
    }
}
