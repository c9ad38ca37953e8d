//! Reads the built-in runbooks once, when the program is built, so that no start of it has to.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=runbooks");
    for name in ["hotfix", "hotfix.zh-CN"] {
        let text = fs::read_to_string(format!("runbooks/{name}.yaml"))?;
        let tree: serde_json::Value = serde_saphyr::from_str(&text)?;
        fs::write(out.join(format!("{name}.json")), tree.to_string())?;
    }
    Ok(())
}
