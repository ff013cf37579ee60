//! Secrets: what they look like, where they stand in a text, and what stands there in their place.
//!
//! Everything that leaves the process goes through [`redact`]. No secret is ever tried at its provider.

mod assigned;
mod block;
mod command;
mod doubt;
mod find;
mod look;
mod shapes;
mod stream;
mod table;
mod url;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use find::{Secret, secrets};
pub use stream::{Finding, Findings, secrets_in_file};
pub use url::url_without_credentials;

/// How often each rule found something.
pub type Redactions = BTreeMap<String, usize>;

/// Replaces secrets by a placeholder that names the rule and the length, and
/// counts them. No byte of a secret stays.
///
/// A bare user name in a URL (`ssh://git@host`) is no secret; neither are keys
/// of handovers, commits, digests and ids.
pub fn redact<'t>(text: &'t str, counts: &mut Redactions) -> Cow<'t, str> {
    let found = secrets(text.as_bytes());
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for secret in found {
        // Secrets begin and end at ASCII; a range that did not would not be cut.
        let (Some(before), Some(gone)) = (text.get(from..secret.range.start), text.get(secret.range.clone()))
        else {
            continue;
        };
        *counts.entry(secret.rule.to_owned()).or_default() += 1;
        out.push_str(before);
        out.push_str(&format!("[redacted {}, {} characters]", secret.rule, gone.chars().count()));
        from = secret.range.end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> (String, usize) {
        let mut counts = Redactions::new();
        let text = redact(text, &mut counts).into_owned();
        (text, counts.values().sum())
    }

    fn rules(text: &str) -> Vec<&'static str> {
        secrets(text.as_bytes()).into_iter().map(|secret| secret.rule).collect()
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
        assert!(!redacted("redis://:p4ssw0rd@cache:6379/0").0.contains("p4ss"));
    }

    #[test]
    fn private_keys_go_even_when_cut() {
        let whole = "x\n-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\ny";
        assert!(!redacted(whole).0.contains("abc"));
        assert!(redacted(whole).0.ends_with("\ny"));
        assert!(!redacted("-----BEGIN RSA PRIVATE KEY-----\nabc").0.contains("abc"));
        let cut = redacted("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n\nThen the epoch began.\n").0;
        assert!(cut.ends_with("Then the epoch began.\n") && !cut.contains("MIIE"), "{cut}");
        let json = redacted(r#"{"private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\n", "next": 1}"#).0;
        assert!(json.contains(r#""next": 1}"#) && !json.contains("MIIE"), "{json}");
    }

    #[test]
    fn what_is_given_to_a_telling_name_goes_however_it_is_written() {
        let value = "x7Kp2mQ9vL4tR8wZb3Nc";
        for form in [
            "API_KEY=@",
            "export API_KEY='@'",
            "api_key: @",
            "\"apiKey\": \"@\"",
            "{\\\"api_key\\\": \\\"@\\\"}",
            "--api-key @",
            "--api-key=@",
            "os.environ[\"OPENAI_API_KEY\"] = \"@\"",
            "os.environ.setdefault('COMET_API_KEY', '@')",
            "setenv MY_TOKEN @",
            "sbatch --export=ALL,HF_TOKEN=@,X=1",
            "token => '@'",
            "?access_token=@&x=1",
            "X-Api-Key: @",
            "Authorization: Bearer @",
            "authorization: token @",
            "<password>@</password>",
            "password = @",
            "client_secret%3D@",
            "hfToken: '@'",
            "dbPassword=@",
            "JUPYTER_TOKEN=@",
            "http://localhost:8888/lab?token=@",
            "NEPTUNE_API_TOKEN=\"@\"",
            "machine api.wandb.ai\n  login user\n  password @",
            "curl -u me:@ https://x",
            "sshpass -p @ ssh x",
        ] {
            let text = form.replace('@', value);
            let (text, count) = redacted(&text);
            assert!(!text.contains(value) && count == 1, "{form}: {text}");
        }
    }

    #[test]
    fn a_secret_is_known_by_its_company() {
        let (hex, long) =
            ("0e6f67206f63c309e3d688707c4491df18da951d", "IWTlec9knDqh5LPWU3ce+UFOveM2Uup2j+4IZpiPJqo=");
        let mixed = "SBktZIOGQq0S65eUiydMDzR8Yj8tF89I23sWCYgL";
        let identity = format!("6a7d7b44f4:0:{0}:{0}", hex.repeat(4).get(..128).unwrap());
        for (text, gone) in [
            (format!("\x1b[36mHF_TOKEN\x1b[0m=\x1b[33mhf_{}", &mixed[..34]), &mixed[..34]),
            (format!("wandb:\n  entity: lab\n  key: \"{hex}\""), hex),
            (format!("{{\\\"username\\\": \\\"ann\\\", \\\"key\\\": \\\"{}\\\"}}", &hex[..32]), &hex[..32]),
            ("[os]\ntype = swift\nuser = ann\nkey = HiMD-!+hOMR%3OYz".to_owned(), "HiMD-"),
            (format!("connect(auth=Auth.api_key(\"{mixed}\"))"), mixed),
            (format!("<env name=\"COHERE_API_KEY\">{mixed}</env>"), mixed),
            (format!("$ cat ~/.config/vast_api_key\n{hex}\n"), hex),
            (format!("c.JupyterHub.cookie_secret = bytes.fromhex(\"{hex}\")"), hex),
            (format!("cipher = Fernet(b\"{long}\")"), long),
            ("ALL,AWS_SECRET_ACCESS_KEY=nIMRw/2HNbLtPs2d/Tzsl+fR99AsVR+1iD6twTrc,X=1".to_owned(), "nIMRw/"),
            (format!("requirepass {}", &mixed[..20]), &mixed[..20]),
            (": PSK \"dZrUVnbqSO4FZwXySwTx3vj3voUMQm3S\"".to_owned(), "dZrUVn"),
            ("echo 'ann:ABKJx3sSL97fd!R0' | chpasswd".to_owned(), "ABKJx3"),
            ("账号：ann 密码：B%JF-+uL4a+8vfod".to_owned(), "B%JF"),
            ("Mot de passe : Piano#basil8795".to_owned(), "Piano#"),
            ("the root password on gpu07 is Piano_quartz5673".to_owned(), "Piano_"),
            ("AWS_ACCESS_KEY_ID: minio\nAWS_SECRET_ACCESS_KEY: PWwoiVR8wwLP".to_owned(), "PWwoiVR8"),
            (format!("echo {} | base64 -d > /etc/munge/munge.key", long.trim_end_matches('=')), "IWTlec9k"),
            (
                "data:\n  WANDB_API_KEY: ZDFjM2FiNmZlZGVhN2JhZmQwMzk5NjU4OWRkY2Q4MTcwOTg4NDFkNw==".to_owned(),
                "ZDFjM2Fi",
            ),
            ("expect \"password:\"\nsend \"Pebble!garnet513\\r\"".to_owned(), "Pebble"),
            (format!("our group key is {hex} (do not rotate)"), hex),
            (format!("The API key for the captions is {mixed} and is billed"), mixed),
            ("podman pull --creds ci:lTyzT5RICy222xYc host/ml/base".to_owned(), "lTyzT5"),
            ("printf '%s\\n' 'U10K+pcteJ2x' | openconnect -b --passwd-on-stdin".to_owned(), "U10K+"),
            ("JobCompPass=HeronKettle81!".to_owned(), "HeronK"),
            ("expect \"*assword:*\"\nsend \"Falcon_mango.91\\r\"".to_owned(), "Falcon"),
            ("Your temporary password is: Psvl8#saGz3o75".to_owned(), "Psvl8"),
            (
                "pw for the shared lab account on login01.hpc.example.org: nectar#ember#257".to_owned(),
                "nectar",
            ),
            ("Key passphrase (id_ed25519 on laptop): mko50GARNET-kb".to_owned(), "mko50"),
            ("yagmail.SMTP(\"ann@lab.example\", \"nrmsnmwkuqmpuuxp\")".to_owned(), "nrmsn"),
            (
                "url: https://cds.example.eu/api\nkey: adcafb1f-94ee-43a1-85d3-7d7c69955354".to_owned(),
                "adcafb1f",
            ),
            ("ssh-keygen -t ed25519 -f id -N \"juniper%cinder%552\" -C x".to_owned(), "juniper"),
            (identity, "c309e3d688"),
            (
                format!("tls.key: LS0tLS1CRUdJTiBQUklWQVRF{}", long.trim_end_matches('=').repeat(3)),
                "IWTlec9k",
            ),
        ] {
            let out = redacted(&text).0;
            assert!(!out.contains(gone), "{text}: {out}");
        }
        let time = "2026-05-01T10:00:00.123Z ";
        let key = [
            concat!("-----BEGIN OPENSSH ", "PRIVATE KEY-----"),
            "b3BlbnNzaC1rZXk",
            "QyNTUxOQAAACAk",
            "-----END OPENSSH PRIVATE KEY-----",
        ];
        let log: String = key.iter().map(|line| format!("{time}{line}\n")).collect();
        assert_eq!(
            redacted(&format!("{log}{time}done\n")).0,
            format!("{time}[redacted private-key, 175 characters]\n{time}done\n")
        );
        for plain in [
            "session_id: 2d89c7b0-04b0-421a-bf7e-f2f1e307844d",
            "secret_key = data.vault_generic_secret.s3.data[\"secret_key\"]",
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "password reset email sent to ann@lab.example",
            "vault kv put secret/db password=@/tmp/pw",
            "cache:\n  key: 0e6f67206f63c309e3d688707c4491df18da951d",
            "token = get_secret(\"wandb-token\")",
            "$ cat api_key\ncat: api_key: No such file or directory",
        ] {
            assert_eq!(rules(plain), [""; 0], "{plain}");
        }
    }

    #[test]
    fn what_says_less_needs_a_form_of_its_own() {
        for (text, gone) in [
            ("the password is t0hB!NseV3#G0Bm (rotate)", "t0hB!NseV3#G0Bm"),
            ("python annotate.py --rf-key x4UcWJPJIk7eBno48xKy", "x4UcWJPJIk7eBno48xKy"),
            ("GITEA_TOKEN ?= a29558497879493d50ecec95c932687160291d40", "a29558497879493d50"),
            ("\"Authorization\":\"ApiKey b3hxS2Y5VDlmV3p1dGhMc2I4M3Y6b3\"", "b3hxS2Y5VDlm"),
            ("--NotebookApp.token='Saddle-juniper665'", "juniper665"),
            (
                "AWSCredentials(\"AKIAKZFIGVWUKG6OSKTP\", \"B6YOx6CnIRWtO2arsv39SIW6ABf6cDmqeXw2wRGw\")",
                "B6YOx6CnIRWt",
            ),
            ("userPassword: {SSHA}HxndkkVsnnjOLy5UaN+MaCMnIqPbbe7t", "HxndkkVsnnj"),
            (
                "Private-Lines: 2\nqLReWwWwT3bWmsuI2xbx9I9Uv9uF\nqkiQjwmnFBGOoE7jv8YjHSzK\nPrivate-MAC: 1",
                "qkiQjwmn",
            ),
        ] {
            assert!(!redacted(text).0.contains(gone), "{text}");
        }
        for plain in [
            "the password is wrong",
            "the token is expired",
            "cache_key=7f3a9c2e7f3a9c2e1b2c",
            "--sort-key 7f3a9c2e7f3a9c2e1b2c",
            "it begins with \"-----BEGIN OPENSSH PRIVATE KEY-----\"; never commit it",
            "arn:aws:secretsmanager:eu:1:secret:wandb-K5FB3t",
            "secret \"wandb-owe5f\" created in namespace train",
            "amqp://guest:guest@localhost:5672//",
        ] {
            assert_eq!(rules(plain), [""; 0], "{plain}");
        }
    }

    #[test]
    fn many_beginnings_cost_no_more_than_their_length() {
        let text = "-----BEGIN PRIVATE KEY-----\n".repeat(20_000);
        assert!(secrets(text.as_bytes()).len() <= 20_000);
    }

    #[test]
    fn what_training_logs_say_stays() {
        for plain in [
            "tokens per second: 18234.5",
            "max_tokens=4096 pad_token='<|endoftext|>'",
            "Token indices sequence length is longer than 512",
            "tokenizer: meta-llama/Llama-3.1-8B-Instruct",
            "KeyError: 'attention_mask'",
            "key_padding_mask=None",
            "password: the user must enter one",
            "Password authentication failed",
            "PWD=/home/ann/project",
            "secret=False",
            "commit 473935e1b7c64c1f2a3b4c5d6e7f8091a2b3c4d5",
            "HO-20261121-0341-7f3a9c2e",
            "sha256:7f3a9c2e7f3a9c2e7f3a9c2e7f3a9c2e7f3a9c2e7f3a9c2e7f3a9c2e7f3a9c2e",
            "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "OPENAI_API_KEY=$OPENAI_API_KEY",
            "api_key=os.environ['KEY']",
            "token: Optional[str] = None",
            "ssh://git@host/x",
            "eos_token_id: 151643",
            "auth: None",
            "session_id: 3",
            "task-1234567890abcdef1234567890",
            "wandb: run x7kp2mq9",
        ] {
            assert_eq!(rules(plain), [""; 0], "{plain}");
        }
    }

    #[test]
    fn a_placeholder_keeps_nothing_and_json_stays_json() {
        let text = r#"{"schema":"x","data":{"line":"HF_TOKEN=hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567","key":"HO-20261121-0341-7f3a9c2e"}}"#;
        let (text, count) = redacted(text);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"]["line"], "HF_TOKEN=[redacted huggingface-token, 37 characters]");
        assert_eq!(value["data"]["key"], "HO-20261121-0341-7f3a9c2e");
        assert_eq!(count, 1);
    }

    /// Twice the text is twice the work, and little more than the text itself, whatever it consists of:
    /// nothing is read again and again.
    #[test]
    fn work_grows_with_the_length_of_the_text_alone() {
        let key = format!("-----BEGIN {} KEY-----\n", "PRIVATE");
        let one_line = format!("-----BEGIN {} KEY-----", "PRIVATE");
        let headers = format!("-----BEGIN {} KEY-----: \n", "PRIVATE");
        let pieces = [
            "token=",
            "authkey:=",
            "password=\"",
            "token token ",
            "sessiontoken=a1",
            "pass",
            "=",
            "eyJ.",
            "-eyJhbGciOi",
            "fm2_",
            "$6$",
            "X-Amz-Signature=",
            "X-Amz-Security-Token=-",
            "SharedAccessKey=A1b2C3d4E5f6",
            "curl -u a:b ",
            "wandb login ",
            "mysql",
            "echo a | kinit ",
            "a://b:",
            "password for ",
            "secret [",
            "login(\"",
            " identified by ",
            ":*:",
            "MIIE\n",
            "name: TOKEN\n value",
            "Private-Lines: 1\n",
            &key,
            &one_line,
            &headers,
        ];
        for piece in pieces {
            let work = |size: usize| {
                let text = piece.repeat(size / piece.len() + 1);
                find::searched(text.as_bytes()).1
            };
            let [half, whole] = [48 << 10, 96 << 10].map(work);
            assert!(whole <= half * 13 / 5 + 4096, "{piece:?}: {half}, {whole}");
            assert!(whole <= (96 << 10) * 56, "{piece:?}: {whole}");
        }
    }

    #[test]
    fn beside_dense_text_secrets_are_found_as_ever() {
        let token = concat!("hf_", "QmRzTbVxKpLdWsYgNcJhFaEuMiOtPqXvBw");
        let long = format!("ya29.{}", "Qm7RzTb2VxKpLd9WsYg4NcJh".repeat(60));
        for piece in ["token=", "fm2_", "wandb login ", "X-Amz-Signature=", "password password "] {
            let dense = piece.repeat((200 << 10) / piece.len());
            let text = format!("{dense}\n{token}\npassword: x7Kp2mQ9vL4t\n{long}\n{dense} {long}");
            let (out, _) = redacted(&text);
            assert!(!out.contains(token) && !out.contains("x7Kp2mQ9vL4t"), "{piece}");
            assert!(!out.contains("VxKpLd9WsYg4"), "{piece}");
        }
    }
}
