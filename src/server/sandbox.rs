//! What the server takes from itself before it listens to anybody, so that somebody who gets hold of it gets hold of
//! little: Landlock (landlock(7)) lets it write in its own directories only and read no more than it needs, and seccomp
//! (seccomp(2)) lets it start no program and change nothing of the system.
//!
//! Both hold for the thread that asks and for those it starts later: this is done before there is another one. A kernel
//! that has neither is served all the same; `status` and the log tell what is active.

use crate::config::Config;
use landlock::{
    ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, path_beneath_rules,
};
use std::path::{Path, PathBuf};

/// What the system is read for: names, zones and certificates, and what it says of itself.
const READ: [&str; 6] = ["/etc", "/usr/share/zoneinfo", "/proc", "/sys", "/dev", "/run/systemd"];

/// Shuts the server in; what is active now, for people.
pub(super) fn enter(config: &Config) -> String {
    if !config.sandbox {
        return "off (sandbox = false)".to_owned();
    }
    let parts = [landlock(config), seccomp()];
    parts.iter().map(|part| part.as_deref().unwrap_or_else(|problem| problem)).collect::<Vec<_>>().join(", ")
}

/// The directories of the server's own files; those of the socket and the certificate may be elsewhere.
fn own(config: &Config) -> Vec<PathBuf> {
    let socket = config.listen.lmtp_socket.as_deref().and_then(Path::parent).map(Path::to_owned);
    [Some(config.data_dir.clone()), socket].into_iter().flatten().collect()
}

/// Files that are read again while the server runs; their directories, because files are replaced.
fn read(config: &Config) -> Vec<PathBuf> {
    let files = [config.file.as_deref(), config.tls.certificate.as_deref(), config.tls.key.as_deref()];
    let files = files.into_iter().flatten();
    // Certificates are often links into another directory.
    let places = files.flat_map(|file| [Some(file.to_owned()), file.canonicalize().ok()]).flatten();
    let directories = places.filter_map(|file| file.parent().map(Path::to_owned));
    READ.iter().map(PathBuf::from).chain(directories).collect()
}

fn landlock(config: &Config) -> Result<String, String> {
    // Newer kernels than this know more rights, which are not asked for until somebody has thought about them.
    let (all, reading) = (AccessFs::from_all(ABI::V5), AccessFs::ReadFile | AccessFs::ReadDir);
    let failed = |error: landlock::RulesetError| format!("no Landlock ({error})");
    let writing = all & !AccessFs::Execute;
    let ruleset = Ruleset::default().handle_access(all).map_err(failed)?.create().map_err(failed)?;
    let ruleset = ruleset.add_rules(path_beneath_rules(own(config), writing)).map_err(failed)?;
    let ruleset = ruleset.add_rules(path_beneath_rules(read(config), reading)).map_err(failed)?;
    match ruleset.restrict_self().map_err(failed)?.ruleset {
        RulesetStatus::FullyEnforced => Ok("Landlock".to_owned()),
        RulesetStatus::PartiallyEnforced => Ok("Landlock as far as this kernel has it".to_owned()),
        RulesetStatus::NotEnforced => Err("no Landlock (this kernel has none)".to_owned()),
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn seccomp() -> Result<String, String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
    let failed = |error: &dyn std::fmt::Display| format!("no seccomp ({error})");
    let refused = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap_or(1));
    let architecture = std::env::consts::ARCH.try_into().map_err(|error| failed(&error))?;
    let rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture);
    let program = BpfProgram::try_from(filter.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    apply_filter(&program).map_err(|error| failed(&error))?;
    Ok("seccomp".to_owned())
}

/// Filters are made for 64-bit processors only.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn seccomp() -> Result<String, String> {
    Err("no seccomp (64-bit boards only)".to_owned())
}

/// What a mail server has no use for: other programs, other processes, the kernel's doors. Everything else is allowed,
/// because a C library may choose another call tomorrow, and mail must not stop for it.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const REFUSED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_open_by_handle_at,
    libc::SYS_personality,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn what_is_said_to_be_active_is() {
        let outer = std::env::temp_dir().join(format!("mailnook-sandbox-{}", std::process::id()));
        let inner = outer.join("data");
        std::fs::create_dir_all(&inner).unwrap();
        let mut config = Config::default();
        config.listen.lmtp_socket = None;
        config.set_data_dir(inner.clone());
        // A thread of its own: what is taken is never given back.
        let told = std::thread::scope(|scope| scope.spawn(|| try_out(&config, &outer, &inner)).join().unwrap());
        std::fs::write(outer.join("the others are free"), b"x").unwrap();
        std::fs::remove_dir_all(&outer).unwrap();
        assert!(told.contains("Landlock") && told.contains("seccomp"), "{told}");
        config.sandbox = false;
        assert_eq!(enter(&config), "off (sandbox = false)");
    }

    fn try_out(config: &Config, outer: &Path, inner: &Path) -> String {
        let told = enter(config);
        std::fs::write(inner.join("mail"), b"x").unwrap();
        std::fs::rename(inner.join("mail"), inner.join("mail2")).unwrap();
        std::fs::read_to_string("/proc/self/status").unwrap();
        let (wrote, ran) = (std::fs::write(outer.join("x"), b"x"), std::process::Command::new("/bin/true").status());
        if !told.contains("no Landlock") {
            assert_eq!(wrote.unwrap_err().kind(), ErrorKind::PermissionDenied, "{told}");
            assert_eq!(std::fs::read_dir("/usr/bin").unwrap_err().kind(), ErrorKind::PermissionDenied, "{told}");
        }
        if !told.contains("no seccomp") {
            assert_eq!(ran.unwrap_err().kind(), ErrorKind::PermissionDenied, "{told}");
        }
        told
    }
}
