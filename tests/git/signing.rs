//! Commits, tags and merges are signed where the configuration says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hotfix::git::Error;

use super::sandbox::{Sandbox, skipped};

/// A sandbox where everything is to be signed by this program of this format, and what its signatures begin with.
fn signing(format: &str, key: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, value) in
        [("gpg.format", format), ("user.signingKey", key), ("commit.gpgSign", "true"), ("tag.gpgSign", "true")]
    {
        sandbox.config(name, value);
    }
    sandbox
}

#[track_caller]
fn all_are_signed(sandbox: &Sandbox, begins: &str) {
    let object = |name: &str| sandbox.git("remote.git", &format!("cat-file -p {name}"));
    for name in ["main", "main^2", "v1.2.4"] {
        assert!(object(name).contains(begins), "{name}: {}", object(name));
    }
    // The trailer stays the end of the message.
    assert!(object("v1.2.4").contains("#1 is fixed\n-----BEGIN"), "{}", object("v1.2.4"));
}

#[test]
fn by_an_ssh_key() {
    let sandbox = signing("ssh", "");
    let key = sandbox.path("key").display().to_string();
    let made = sandbox.run("ssh-keygen", ".", &["-q", "-t", "ed25519", "-N", "", "-f", &key]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    sandbox.config("user.signingKey", &format!("{key}.pub"));
    sandbox.config("gpg.ssh.allowedSignersFile", &sandbox.path("signers").display().to_string());
    sandbox.put("signers", &format!("ada@example.com {}", sandbox.text("key.pub")));
    sandbox.fix();
    all_are_signed(&sandbox, "-----BEGIN SSH SIGNATURE-----");
    for words in ["verify-commit main", "verify-commit main^2", "verify-tag v1.2.4"] {
        sandbox.git("work", words);
    }
    // A log that shows signatures is read all the same.
    sandbox.config("log.showSignature", "true");
    sandbox.write("file", "three\n");
    let commit = || sandbox.open().commit("three", &["file".to_owned()]).unwrap();
    assert_eq!([commit(), commit()], [hotfix::git::Outcome::Done, hotfix::git::Outcome::Already]);
    fs::remove_file(sandbox.path("key")).unwrap();
    sandbox.write("file", "four\n");
    let error = sandbox.open().commit("four", &["file".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("failed to write commit object"), "{error}");
}

#[test]
fn by_an_openpgp_key() {
    let sandbox = signing("openpgp", "ada@example.com");
    let home = sandbox.path(".gnupg");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    if !sandbox.run("sh", ".", &["-c", "command -v gpg"]).status.success() {
        skipped("OpenPGP signatures, as there is no gpg here");
        return;
    }
    let options = ["--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
    let made = [&options[..], &["--quick-generate-key", "Ada <ada@example.com>", "ed25519", "sign", "never"]].concat();
    let made = sandbox.run("gpg", ".", &made);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    sandbox.fix();
    all_are_signed(&sandbox, "-----BEGIN PGP SIGNATURE-----");
    for words in ["verify-commit main", "verify-commit main^2", "verify-tag v1.2.4"] {
        sandbox.git("work", words);
    }
    let _ = sandbox.run("gpgconf", ".", &["--kill", "all"]);
}

#[test]
fn by_an_x509_program() {
    let sandbox = signing("x509", "ada@example.com");
    let script = "#!/bin/sh\ncat > /dev/null\necho '-----BEGIN SIGNED MESSAGE-----'\necho fake\necho '-----END SIGNED MESSAGE-----'\n\
                  echo '[GNUPG:] SIG_CREATED D 1 8 00 0 0' >&2\n";
    sandbox.put("gpgsm", script);
    sandbox.config("gpg.x509.program", &sandbox.path("gpgsm").display().to_string());
    sandbox.fix();
    all_are_signed(&sandbox, "-----BEGIN SIGNED MESSAGE-----");
    sandbox.put("gpgsm", "#!/bin/sh\necho 'the card is not there' >&2\nexit 1\n");
    sandbox.write("file", "three\n");
    let error = sandbox.open().commit("three", &["file".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("the card is not there"), "{error}");
}

#[test]
fn a_tag_is_signed_where_only_annotated_ones_are_to_be() {
    let sandbox = signing("x509", "ada@example.com");
    let script =
        "#!/bin/sh\ncat > /dev/null\necho '-----BEGIN SIGNED MESSAGE-----'\necho '[GNUPG:] SIG_CREATED ' >&2\n";
    sandbox.put("gpgsm", script);
    sandbox.config("gpg.x509.program", &sandbox.path("gpgsm").display().to_string());
    sandbox.config("tag.gpgSign", "false");
    sandbox.open().tag("plain", "HEAD", "text").unwrap();
    assert!(!sandbox.git("work", "cat-file -p plain").contains("SIGNED"));
    sandbox.config("tag.forceSignAnnotated", "true");
    sandbox.open().tag("signed", "HEAD", "text").unwrap();
    assert!(sandbox.git("work", "cat-file -p signed").contains("SIGNED"));
}

#[test]
fn a_branch_without_a_signature_is_not_merged_where_one_is_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.config("merge.verifySignatures", "true");
    sandbox.git("work", "branch hotfix/1");
    sandbox.git("work", "switch -q hotfix/1");
    sandbox.git("work", "commit -q --allow-empty -m fix");
    let error = sandbox.open().merge("hotfix/1", "main", Some("origin"), "merge").unwrap_err();
    assert!(matches!(&error, Error::Refused { command, .. } if command.contains("verify-commit")), "{error}");
    assert_eq!(sandbox.git("remote.git", "rev-parse main"), sandbox.git("work", "rev-parse v1.2.3^{commit}"));
}
