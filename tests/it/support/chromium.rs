//! A real browser without a window, driven through its own pipe.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// No answer takes longer; one that does never comes.
const LIMIT: Duration = Duration::from_secs(60);

/// A browser with one page, ended with the test.
pub struct Chromium {
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: String,
    next: u64,
    /// What the page told the console, and what went wrong in it.
    pub said: Vec<String>,
    _home: TempDir,
}

impl Chromium {
    /// Opens a file at the size of a phone; `None` where there is no Chromium.
    pub fn open(file: &Path, dark: bool) -> Option<Chromium> {
        let path = std::env::var_os("PATH")?;
        let program =
            std::env::split_paths(&path).map(|dir| dir.join("chromium")).find(|file| file.is_file())?;
        let home = tempfile::tempdir().unwrap();
        let [to, from] = ["to", "from"].map(|name| home.path().join(name));
        for pipe in [&to, &from] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let options = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                       --disable-background-networking --disable-component-update --remote-debugging-pipe";
        let script = format!("exec \"$0\" {options} --user-data-dir=\"$1\" about:blank 3<\"$2\" 4>\"$3\"");
        let child = Command::new("bash")
            .args(["-c", &script])
            .arg(program)
            .arg(home.path().join("profile"))
            .args([&to, &from])
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(&to).unwrap();
        let mut answers = File::open(&from).unwrap();
        let (tell, from) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut rest, mut buffer) = (Vec::new(), [0; 65_536]);
            while let Ok(count @ 1..) = answers.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..count]);
                while let Some(end) = rest.iter().position(|byte| *byte == 0) {
                    let message: Vec<u8> = rest.drain(..=end).collect();
                    if tell.send(serde_json::from_slice(&message[..end]).unwrap()).is_err() {
                        return;
                    }
                }
            }
        });
        let (session, said) = (String::new(), Vec::new());
        let mut chromium = Chromium { child, to, from, session, next: 0, said, _home: home };
        let target = chromium.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        chromium.session =
            chromium.call("Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            chromium.call(&format!("{domain}.enable"), json!({}));
        }
        chromium.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true}),
        );
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        chromium.call("Emulation.setEmulatedMedia", features);
        chromium.call("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        chromium.call("Page.navigate", json!({"url": format!("file://{}", file.display())}));
        chromium.wait_for("document.readyState === 'complete' && location.protocol === 'file:'");
        Some(chromium)
    }

    /// Lets the page read the clipboard back.
    pub fn may_read_the_clipboard(&mut self) {
        let session = std::mem::take(&mut self.session);
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.call("Browser.grantPermissions", permissions);
        self.session = session;
    }

    /// What an expression is in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression) != true {
            assert!(begun.elapsed() < LIMIT, "{expression} never was");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Taps the middle of an element, where a finger would.
    pub fn tap(&mut self, element: &str) {
        let place = self.value(&format!(
            "(() => {{ const e = document.querySelector({element:?}); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// A picture of the page, the whole of it or what the phone shows, as PNG in base 64.
    pub fn picture(&mut self, whole: bool) -> String {
        let asked = json!({"format": "png", "captureBeyondViewport": whole});
        self.call("Page.captureScreenshot", asked)["data"].as_str().unwrap().to_owned()
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.from.recv_timeout(LIMIT).unwrap_or_else(|e| panic!("{method}: {e}"));
            if answer["id"] == self.next {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            let event = answer["method"].as_str().unwrap_or_default();
            if ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"].contains(&event) {
                self.said.push(answer["params"].to_string());
            }
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
