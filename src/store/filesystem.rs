//! Whether a directory is on this machine's own disks.

use std::path::Path;

/// The names of network file systems by the number that `statfs(2)` gives on Linux, as `linux/magic.h` and the file systems'
/// own sources have it. A FUSE file system may be one as well (`sshfs`), which nothing tells.
const NETWORK: [(u32, &str); 14] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564C, "NCP"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x7461_636F, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x2003_0528, "OrangeFS"),
];

/// What kind of file system a directory is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filesystem {
    /// One of this machine's own, or one that is not known to be on a network.
    Local,
    /// One on a network, by its name.
    Network(String),
}

impl Filesystem {
    /// That of `path`, or of the nearest directory above it that is there.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        path.ancestors().find(|path| path.exists()).map_or(Self::Local, look)
    }

    /// The one with this number on Linux.
    #[must_use]
    pub fn numbered(number: u32) -> Self {
        let known = NETWORK.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Local, |(_, name)| Self::Network((*name).to_owned()))
    }

    /// What there is to be said of it to whoever begins to drive a run.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let Self::Network(name) = self else { return None };
        Some(format!(
            "the repository is on a network file system ({name}), where a lock may not be seen by other machines: \
             drive a run from one machine at a time"
        ))
    }
}

#[cfg(target_os = "linux")]
fn look(path: &Path) -> Filesystem {
    let Ok(found) = rustix::fs::statfs(path) else { return Filesystem::Local };
    // The type has another width on every architecture; the numbers have 32 bits.
    u32::try_from(i128::from(found.f_type) & 0xFFFF_FFFF).map_or(Filesystem::Local, Filesystem::numbered)
}

#[cfg(target_vendor = "apple")]
fn look(path: &Path) -> Filesystem {
    /// `MNT_LOCAL` of `statfs(2)`.
    const LOCAL: u32 = 0x1000;
    let Ok(found) = rustix::fs::statfs(path) else { return Filesystem::Local };
    if found.f_flags & LOCAL != 0 {
        return Filesystem::Local;
    }
    let name = found.f_fstypename.iter().take_while(|c| **c != 0);
    Filesystem::Network(name.map(|c| char::from(c.cast_unsigned())).collect())
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn look(_: &Path) -> Filesystem {
    Filesystem::Local
}

#[cfg(test)]
mod tests {
    use super::Filesystem;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        for (number, name) in [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0x00C3_6400, "Ceph")] {
            let found = Filesystem::numbered(number);
            assert_eq!(found, Filesystem::Network(name.to_owned()));
            assert!(found.warning().is_some_and(|said| said.contains(name) && said.contains("one machine at a time")));
        }
        for (number, name) in [(0xEF53, "ext4"), (0x5846_5342, "xfs"), (0x9123_683E, "btrfs"), (0x0102_1994, "tmpfs")] {
            assert_eq!(Filesystem::numbered(number), Filesystem::Local, "{name}");
        }
        assert_eq!(Filesystem::Local.warning(), None);
    }
}
