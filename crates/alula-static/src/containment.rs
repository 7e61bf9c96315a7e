//! Opens a file only if it is inside its root, reachable by allowed links, and a regular file or a directory.
//!
//! The checks, in order, and why each is needed:
//! 1. The path is below the root by its text and has no `..`: the mapping promised so, and this is what keeps it
//!    true when the mapping has a bug.
//! 2. Symbolic links, unless they may be followed: checked by the kernel while it opens (`RESOLVE_NO_SYMLINKS`), or
//!    component by component on open directories. Checking a path first and opening it later can be raced.
//! 3. The kind, asked of the *opened* file. Opening with `O_NONBLOCK` never waits for a FIFO's writer or a device.
//!
//! As in httpd, links that may be followed may also leave the root: that is what they are used for.

use http::StatusCode;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which symbolic links below the root may be followed (httpd's `Options`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Symlinks {
    /// `FollowSymLinks`, httpd's default.
    #[default]
    Follow,
    /// `SymLinksIfOwnerMatch`: those that belong to the user their target belongs to.
    IfOwnerMatches,
    /// Neither: none.
    Never,
}

impl Symlinks {
    /// From the two `Options`; `FollowSymLinks` includes the other.
    pub fn from_options(follow: bool, if_owner_matches: bool) -> Self {
        match (follow, if_owner_matches) {
            (true, _) => Self::Follow,
            (false, true) => Self::IfOwnerMatches,
            (false, false) => Self::Never,
        }
    }
}

/// Something opened that may be served.
#[derive(Debug)]
pub(crate) enum Opened {
    File(OwnedFd, Stat),
    Directory,
}

/// Why nothing was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such file")]
    Missing,
    #[error("outside of its root directory")]
    Outside,
    #[error("permission denied")]
    Permission,
    #[error("symbolic link not allowed")]
    Symlink,
    #[error("neither a regular file nor a directory")]
    Special,
    #[error("file name too long")]
    NameTooLong,
    #[error("changed again and again while it was read")]
    Changing,
    #[error("cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
}

impl Refusal {
    /// httpd's.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::NOT_FOUND,
            Self::Permission
            | Self::Symlink
            | Self::Special
            | Self::NameTooLong
            | Self::Outside => StatusCode::FORBIDDEN,
            Self::Changing | Self::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        match error {
            // ENOTDIR: PATH_INFO after a file, or a slash. EINVAL: a NUL.
            Errno::NOENT | Errno::NOTDIR | Errno::INVAL => Self::Missing,
            Errno::ACCESS | Errno::PERM => Self::Permission,
            Errno::LOOP => Self::Symlink,
            Errno::NAMETOOLONG => Self::NameTooLong,
            // A socket, or a device without a driver.
            Errno::NXIO | Errno::NODEV => Self::Special,
            other => Self::Unreadable(std::io::Error::from(other).kind()),
        }
    }
}

/// How a file's content is opened. `NOCTTY` and `NONBLOCK` are for what turns out to be no file.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
/// How a directory on the way is opened.
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Set once the kernel, or a sandbox around us, turns out not to know `openat2`.
static OPENAT2_IS_MISSING: AtomicBool = AtomicBool::new(false);

/// Opens the file if the kernel can do so from memory, without a disk. `None`: ask [`open`], where waiting is allowed.
pub(crate) fn open_from_memory(
    root: &Path,
    file: &Path,
    symlinks: Symlinks,
) -> Result<Option<Opened>, Refusal> {
    let relative = below(root, file)?;
    if OPENAT2_IS_MISSING.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let cached = ResolveFlags::CACHED;
    let opened = match symlinks {
        Symlinks::Follow => rustix::fs::openat2(CWD, file, READ, Mode::empty(), cached),
        Symlinks::IfOwnerMatches | Symlinks::Never => open_directory(root).and_then(|root| {
            let strict = cached | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
            rustix::fs::openat2(root, relative_or_dot(relative), READ, Mode::empty(), strict)
        }),
    };
    match opened {
        Ok(fd) => judge(fd).map(Some),
        Err(Errno::AGAIN | Errno::PERM) => Ok(None),
        // ENOSYS: before Linux 5.6. EINVAL: `CACHED` is unknown, before 5.12 (or a NUL, which `open` tells).
        Err(Errno::NOSYS) => {
            OPENAT2_IS_MISSING.store(true, Ordering::Relaxed);
            Ok(None)
        }
        Err(Errno::INVAL) => Ok(None),
        Err(Errno::LOOP) if symlinks == Symlinks::IfOwnerMatches => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens the file, and waits for the disk if it must.
pub(crate) fn open(root: &Path, file: &Path, symlinks: Symlinks) -> Result<Opened, Refusal> {
    let relative = below(root, file)?;
    judge(match symlinks {
        Symlinks::Follow => rustix::fs::openat(CWD, file, READ, Mode::empty())?,
        Symlinks::IfOwnerMatches | Symlinks::Never => walk(root, relative, symlinks)?,
    })
}

/// The part of `file` below `root`, without a slash at its start.
fn below<'a>(root: &Path, file: &'a Path) -> Result<&'a [u8], Refusal> {
    let root = root.as_os_str().as_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    let relative = match file.as_os_str().as_bytes().strip_prefix(root) {
        Some([]) => &[],
        Some([b'/', relative @ ..]) => relative,
        _ => return Err(Refusal::Outside),
    };
    let relative = &relative[relative.iter().take_while(|byte| **byte == b'/').count()..];
    if components(relative).any(|name| name == b"..") {
        return Err(Refusal::Outside);
    }
    if relative.contains(&0) {
        return Err(Refusal::Missing);
    }
    Ok(relative)
}

/// Only regular files and directories are served, as in httpd.
fn judge(fd: OwnedFd) -> Result<Opened, Refusal> {
    let stat = rustix::fs::fstat(&fd)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Opened::File(fd, stat)),
        FileType::Directory => Ok(Opened::Directory),
        _ => Err(Refusal::Special),
    }
}

/// Goes down from the root one component at a time, each opened from the directory before it, so that nothing can be
/// exchanged between check and use.
fn walk(root: &Path, relative: &[u8], symlinks: Symlinks) -> Result<OwnedFd, Refusal> {
    let mut here = open_directory(root)?;
    let mut names = components(relative).peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let flags = match (is_last, relative.ends_with(b"/")) {
            (false, _) => STEP,
            (true, true) => READ | OFlags::DIRECTORY,
            (true, false) => READ,
        };
        let next = step(here.as_fd(), OsStr::from_bytes(name), flags, symlinks)?;
        if is_last {
            return Ok(next);
        }
        here = next;
    }
    Ok(rustix::fs::openat(here, ".", READ, Mode::empty())?)
}

fn step(
    here: BorrowedFd<'_>,
    name: &OsStr,
    flags: OFlags,
    symlinks: Symlinks,
) -> Result<OwnedFd, Refusal> {
    let entry = rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(entry.st_mode) != FileType::Symlink {
        let no_link = flags | OFlags::NOFOLLOW;
        return Ok(rustix::fs::openat(here, name, no_link, Mode::empty())?);
    }
    if symlinks == Symlinks::Never {
        return Err(Refusal::Symlink);
    }
    let target = rustix::fs::openat(here, name, flags, Mode::empty())?;
    // A link exchanged since `statat` leads to a target of another owner, or to one its owner may show anyway.
    if rustix::fs::fstat(&target)?.st_uid == entry.st_uid {
        Ok(target)
    } else {
        Err(Refusal::Symlink)
    }
}

/// The root itself may be a link: it is the administrator's.
fn open_directory(root: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, root, STEP, Mode::empty())
}

fn components(relative: &[u8]) -> impl Iterator<Item = &[u8]> {
    relative
        .split(|byte| *byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
}

fn relative_or_dot(relative: &[u8]) -> &[u8] {
    if relative.is_empty() { b"." } else { relative }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    /// A root with every kind of thing in it, and a secret beside it.
    fn tree() -> tempfile::TempDir {
        let top = tempfile::tempdir().expect("a directory");
        let root = top.path().join("root");
        fs::create_dir_all(root.join("dir/inner")).expect("directories");
        fs::write(root.join("file"), "x").expect("a file");
        fs::write(root.join("dir/file"), "x").expect("a file");
        fs::write(top.path().join("secret"), "x").expect("a file");
        symlink("file", root.join("link")).expect("a link");
        symlink("dir", root.join("linkdir")).expect("a link");
        symlink("../secret", root.join("out")).expect("a link");
        symlink("loop", root.join("loop")).expect("a link");
        symlink("/dev/null", root.join("null")).expect("a link");
        rustix::fs::mknodat(CWD, root.join("fifo"), FileType::Fifo, 0o644.into(), 0)
            .expect("a FIFO");
        UnixListener::bind(root.join("socket")).expect("a socket");
        top
    }

    fn kind(opened: Result<Opened, Refusal>) -> Result<&'static str, Refusal> {
        opened.map(|opened| match opened {
            Opened::File(..) => "file",
            Opened::Directory => "directory",
        })
    }

    /// Both ways of opening must agree, wherever the quick one has an opinion.
    #[track_caller]
    fn check(root: &Path, file: &str, symlinks: Symlinks, expected: Result<&str, Refusal>) {
        let mut path = root.as_os_str().to_owned();
        path.push(file);
        let path = PathBuf::from(path);
        assert_eq!(
            kind(open(root, &path, symlinks)),
            expected,
            "{file} {symlinks:?}"
        );
        match open_from_memory(root, &path, symlinks) {
            Ok(None) => {}
            Ok(Some(opened)) => assert_eq!(kind(Ok(opened)), expected, "{file} {symlinks:?}"),
            Err(refusal) => assert_eq!(Err(refusal), expected, "{file} {symlinks:?}"),
        }
    }

    #[test]
    fn opens_files_and_directories_and_nothing_else() {
        let top = tree();
        let root = top.path().join("root");
        let long_name = format!("/{}", "n".repeat(256));
        let long_path = format!("/{}", "n/".repeat(4000));
        for symlinks in [Symlinks::Follow, Symlinks::IfOwnerMatches, Symlinks::Never] {
            let check = |file, expected| check(&root, file, symlinks, expected);
            check("/file", Ok("file"));
            check("//dir///file", Ok("file"));
            check("/dir/inner", Ok("directory"));
            check("/dir/inner/", Ok("directory"));
            check("/", Ok("directory"));
            check("", Ok("directory"));
            check("/file/", Err(Refusal::Missing));
            check("/file/info", Err(Refusal::Missing));
            check("/none", Err(Refusal::Missing));
            check("/none/file", Err(Refusal::Missing));
            check("/fi\0le", Err(Refusal::Missing));
            check("/fifo", Err(Refusal::Special));
            check("/socket", Err(Refusal::Special));
            check("/loop", Err(Refusal::Symlink));
            check("/../secret", Err(Refusal::Outside));
            check("/dir/../file", Err(Refusal::Outside));
            check("/dir/..", Err(Refusal::Outside));
            check("-secret", Err(Refusal::Outside));
            check(&long_name, Err(Refusal::NameTooLong));
            // Only who gives the kernel the whole path meets the limit of a path.
            let whole = symlinks == Symlinks::Follow;
            let too_long = if whole {
                Refusal::NameTooLong
            } else {
                Refusal::Missing
            };
            assert_eq!(
                kind(open(&root, &root.join(&long_path[1..]), symlinks)),
                Err(too_long)
            );
        }
    }

    #[test]
    fn follows_the_links_it_may() {
        let top = tree();
        let root = top.path().join("root");
        for file in ["/link", "/linkdir/file", "/out"] {
            check(&root, file, Symlinks::Follow, Ok("file"));
            check(&root, file, Symlinks::IfOwnerMatches, Ok("file"));
            check(&root, file, Symlinks::Never, Err(Refusal::Symlink));
        }
        check(&root, "/null", Symlinks::Follow, Err(Refusal::Special));
        check(&root, "/null", Symlinks::Never, Err(Refusal::Symlink));
    }

    #[test]
    fn a_link_of_another_owner_is_refused_where_owners_must_match() {
        let top = tree();
        let root = top.path().join("root");
        // Whoever runs this: /etc/passwd belongs to root, and root can give its link away.
        let link = root.join("passwd");
        symlink("/etc/passwd", &link).expect("a link");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(&link, Some(12345), None).expect("root may");
        }
        check(&root, "/passwd", Symlinks::Follow, Ok("file"));
        check(
            &root,
            "/passwd",
            Symlinks::IfOwnerMatches,
            Err(Refusal::Symlink),
        );
    }

    #[test]
    fn the_root_may_be_a_link_and_may_be_slash() {
        let top = tree();
        let link = top.path().join("alias");
        symlink("root", &link).expect("a link");
        check(&link, "/file", Symlinks::Never, Ok("file"));
        let slash = Path::new("/");
        assert_eq!(
            kind(open(slash, Path::new("/etc/passwd"), Symlinks::Never)),
            Ok("file")
        );
        assert_eq!(kind(open(slash, slash, Symlinks::Follow)), Ok("directory"));
    }
}
