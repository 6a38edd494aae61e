//! Faults of a system, each planted alone into one that is sound.

use super::scratch::{NOW, Place};

type Wanted = (&'static str, &'static str, &'static str, &'static str);

/// What is planted (`-`: taken away), and what doctor must say of it.
const FAULTS: &[(&[(&str, &str)], Wanted)] = &[
    (&[("answers/now", "3600")], ("fault", "clock", "it shows 1970-01-01", "timedatectl set-ntp true")),
    (
        &[("run/systemd/timesync/synchronized", "-"), ("proc/77/comm", "systemd-timesyn\n")],
        ("warning", "clock", "has not been compared with the network", "timedatectl timesync-status"),
    ),
    (
        &[("run/systemd/timesync/synchronized", "-")],
        ("warning", "clock", "nothing sets it", "sudo apt install systemd-timesyncd"),
    ),
    (
        &[("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")],
        ("fault", "power", "the voltage is too low now", "power supply"),
    ),
    (
        &[("sys/devices/platform/soc/soc:firmware/get_throttled", "10000\n")],
        ("warning", "power", "the voltage was too low", "power supply"),
    ),
    (
        &[
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "-"),
            ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
        ],
        ("fault", "power", "the voltage is too low now", "power supply"),
    ),
    (
        &[("proc/meminfo", "MemTotal: 60000 kB\nMemAvailable: 20000 kB\n")],
        ("warning", "memory", "only 20.4 MB of 61.4 MB are available", "ps -eo"),
    ),
    (
        &[("proc/meminfo", "MemTotal: 60000 kB\nMemAvailable: 3000 kB\n")],
        ("warning", "memory", "checking passwords takes 1.0 MB", "argon2_memory"),
    ),
    (&[("proc/vmstat", "oom_kill 3\n")], ("warning", "memory", "3 times since the start", "Out of memory")),
    (
        &[
            ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"),
            ("boot/firmware/cmdline.txt", "x"),
            ("lib/systemd/system/mailnook.service", "[Service]\nUser=mailnook\n"),
            ("etc/systemd/system/mailnook.service.d/limit.conf", "[Service]\nMemoryMax=64M\n"),
        ],
        (
            "warning",
            "memory",
            "MemoryMax in mailnook's unit does nothing",
            "cgroup_enable=memory/' /boot/firmware/cmdline.txt",
        ),
    ),
    (
        &[
            ("sys/fs/cgroup/cgroup.controllers", "-"),
            ("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t50\t0\n"),
        ],
        ("note", "memory", "would do nothing", "cgroup_enable=memory/' /boot/cmdline.txt"),
    ),
    (
        &[
            ("lib/systemd/system/mailnook.service", "[Service]\nUser=mailnook\nMemoryMax=1G\n"),
            ("etc/systemd/system/mailnook.service.d/limit.conf", "[Service]\nMemoryMax=6M\n"),
        ],
        ("fault", "memory", "checking passwords takes up to 7.3 MB", "set-property mailnook.service MemoryMax=7M"),
    ),
    (
        &[("sys/bus/mmc/devices/mmc0:aaaa/life_time", "0x0a 0x02\n")],
        ("warning", "card", "has used 100 % of its life", "replace the card"),
    ),
    (
        &[("sys/bus/mmc/devices/mmc0:aaaa/pre_eol_info", "0x03\n")],
        ("fault", "card", "has used up its life", "replace the card"),
    ),
    (
        &[("sys/kernel/debug/mmc0/err_stats", "# Command Timeout Occurred:\t 0\n# Data CRC Errors Occurred:\t 7\n")],
        ("warning", "card", "mmc0 had 7 errors", "err_stats"),
    ),
    (
        &[("answers/space", "31000000000 40000000 1 9000\n")],
        ("fault", "disk", "new mail is refused below 50.0 MB", "sudo apt clean"),
    ),
    (
        &[("answers/space", "31000000000 300000000 1 9000\n")],
        ("warning", "disk", "only 300.0 MB of 31.0 GB", "sudo apt clean"),
    ),
    (
        &[("answers/space", "31000000000 20000000000 1900000 0\n")],
        ("fault", "disk", "only 0 of 1900000 files more", "du --inodes"),
    ),
    (
        &[("proc/self/mountinfo", "25 1 179:2 / / ro,noatime - ext4 /dev/mmcblk0p2 ro\n")],
        ("fault", "disk", "is read-only", "dmesg"),
    ),
    (
        &[("proc/self/mountinfo", "25 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw,data=writeback\n")],
        ("warning", "disk", "data=writeback", "/etc/fstab"),
    ),
    (
        &[("proc/self/mountinfo", "25 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw,barrier=0\n")],
        ("fault", "disk", "without barriers", "/etc/fstab"),
    ),
    (
        &[("proc/self/mountinfo", "25 1 179:2 / / rw,sync - ext4 /dev/mmcblk0p2 rw\n")],
        ("warning", "disk", "mounted with sync", "/etc/fstab"),
    ),
    (
        &[("proc/self/mountinfo", "25 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n")],
        ("warning", "disk", "the time of every read", "remount,noatime /"),
    ),
    (
        &[("proc/self/mountinfo", "25 1 0:2 / / rw - nfs4 nas:/mail rw\n")],
        ("fault", "disk", "is on another machine (nfs4 nas:/mail)", "set data_dir"),
    ),
    (
        &[(
            "proc/self/mountinfo",
            "25 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n26 25 0:3 / /tmp rw - tmpfs tmpfs rw\n",
        )],
        ("fault", "disk", "is in memory (tmpfs)", "set data_dir"),
    ),
    (
        &[("proc/self/mountinfo", "25 1 8:1 / / rw - vfat /dev/sda1 rw\n")],
        ("fault", "disk", "is on vfat", "set data_dir"),
    ),
    (
        &[
            ("proc/self/mountinfo", "25 1 0:2 / / rw - overlay overlay rw,lowerdir=/lower,upperdir=/upper/data\n"),
            ("proc/cmdline", "boot=overlay root=/dev/mmcblk0p2\n"),
        ],
        ("fault", "disk", "is on an overlay in memory", "disable_overlayfs"),
    ),
    (
        &[
            ("proc/self/mountinfo", "25 1 179:2 / / rw,noatime - ext4 /dev/root rw\n"),
            ("sys/dev/block/179:2/uevent", "MAJOR=179\nMINOR=2\nDEVNAME=mmcblk0p2\nDEVTYPE=partition\n"),
            ("sys/fs/ext4/mmcblk0p2/errors_count", "5\n"),
        ],
        ("warning", "disk", "the file system on mmcblk0p2, where the mail is, had 5 errors", "fsck.mode=force"),
    ),
    (&[("sys/fs/ext4/mmcblk0p2/errors_count", "2\n")], ("warning", "disk", "had 2 errors", "fsck.mode=force")),
    (
        &[("proc/self/smaps", "KernelPageSize: 16 kB\n")],
        ("note", "store", "pages of 4 KiB, and this kernel has 16 KiB", ""),
    ),
    (
        &[("answers/bits", "32"), ("proc/device-tree/model", "Raspberry Pi Zero W Rev 1.1\0")],
        ("ok", "board", "32-bit program; the preset pi-zero suits it", ""),
    ),
    (
        &[("answers/bits", "32"), ("proc/sys/kernel/arch", "aarch64\n")],
        ("note", "board", "the kernel has 64 bits, the program 32", "64-bit system"),
    ),
];

#[test]
fn each_planted_fault_is_found_with_what_mends_it() {
    let place = Place::new("planted");
    // Where these tests run a temporary folder may itself be below the planted mount of /tmp.
    assert!(place.folder.starts_with("/tmp") || std::env::var_os("TMPDIR").is_some());
    for (files, wanted) in FAULTS {
        if !place.folder.starts_with("/tmp") && files.iter().any(|(_, text)| text.contains(" /tmp ")) {
            continue;
        }
        place.plant();
        let before = place.doctor();
        assert!(!before.has(*wanted), "{wanted:?} is found in a sound system: {}", before.out);
        for (path, text) in *files {
            place.put(path, text);
        }
        let said = place.doctor();
        assert!(said.has(*wanted), "{wanted:?} is not in {}", said.out);
        // The server does not run: that is a fault of its own.
        assert_eq!(said.code, 2);
    }
}

#[test]
fn a_sound_system_has_no_fault_and_the_test_mail_leaves_nothing() {
    let place = Place::new("sound");
    let server = place.serve();
    let said = place.doctor();
    assert_eq!((said.code, said.wrong()), (0, Vec::new()), "{}", said.out);
    assert!(said.has(("ok", "mail", "by LMTP and out by IMAP (TLS) and POP3 (TLS)", "")), "{}", said.out);
    assert!(said.has(("ok", "board", "Raspberry Pi 4 Model B Rev 1.4, 1.9 GB of memory", "")), "{}", said.out);
    assert!(said.has(("ok", "board", "the preset pi-4 suits it", "")) == (usize::BITS == 64), "{}", said.out);
    for check in [
        "config",
        "board",
        "clock",
        "power",
        "memory",
        "card",
        "disk",
        "files",
        "certificate",
        "server",
        "store",
        "ports",
    ] {
        assert!(said.has(("ok", check, "", "")), "{check} is not ok: {}", said.out);
    }
    assert_eq!(place.output(&["user", "list"]).lines().count(), 2);
    assert!(place.output(&["user", "list"]).contains("anna  0         0 B"));
    assert!(place.output(&["verify"]).contains("the store is sound"));

    // A line for each, or for what is wrong alone: nothing.
    let lines = place.output(&["doctor", "--no-mail", "--root", "root"]);
    assert!(lines.lines().all(|line| line.starts_with("ok       ") || line.starts_with("note     ")), "{lines}");
    assert!(!lines.contains(" mail: "), "{lines}");
    assert_eq!(place.output(&["doctor", "--quiet", "--root", "root"]), "");
    place.put("sys/devices/platform/soc/soc:firmware/get_throttled", "10000\n");
    let quiet = place.command(&["doctor", "--quiet", "--root", "root"]).output().expect("runs");
    let line = "warning  power: the voltage was too low since the board was started. Fix: ";
    assert!(quiet.stdout.starts_with(line.as_bytes()) && quiet.status.code() == Some(1), "{quiet:?}");
    server.stop();
}

#[test]
fn a_system_that_tells_nothing_is_no_fault() {
    let place = Place::new("bare");
    std::fs::remove_dir_all(place.folder.join("root")).expect("removes");
    place.put("answers/now", &NOW.to_string());
    let server = place.serve();
    let said = place.doctor();
    assert_eq!((said.code, said.wrong()), (0, Vec::new()), "{}", said.out);
    for (check, text) in
        [("memory", "/proc/meminfo cannot be read"), ("disk", "the table of mounts"), ("clock", "cannot be seen")]
    {
        assert!(said.has(("note", check, text, "")), "{check}: {}", said.out);
    }
    server.stop();
}

#[test]
fn names_must_lead_here() {
    let place = Place::new("names");
    // Nothing is opened: no server runs.
    place.configure("imap = []\npop3 = []\npop3s = []\nlmtp = []\nimaps = '192.168.1.9:1993'\n");
    for (names, wanted) in [
        ("mail.home.example 192.168.1.9\n", ("ok", "names", "mail.home.example leads to this machine", "")),
        ("", ("warning", "names", "mail.home.example has no address", "router or DNS")),
        (
            "mail.home.example 192.168.1.77\n",
            ("warning", "names", "192.168.1.77, which is not this machine (it has 192.168.1.9)", "fixed address"),
        ),
        ("mail.home.example 203.0.113.7\n", ("note", "names", "right if your router passes the ports on", "")),
        ("mail.home.example 127.0.1.1\n", ("note", "names", "this machine for itself only", "router or DNS")),
        (
            "mail.home.example 192.168.1.9\nhome.example 192.168.1.77\n",
            ("warning", "names", "the domain home.example leads to 192.168.1.77", "fixed address"),
        ),
    ] {
        place.put("answers/names", names);
        let said = place.doctor();
        assert!(said.has(wanted), "{wanted:?} is not in {}", said.out);
    }
    let config = std::fs::read_to_string(place.config()).expect("reads");
    for (hostname, names, wanted) in [
        ("pi5.local", "", ("warning", "names", "nobody in the home network answers for pi5.local", "avahi-daemon")),
        ("pi5.local", "pi5.local 192.168.1.9\n", ("ok", "names", "pi5.local leads to this machine", "")),
        ("pi5", "pi5.local 192.168.1.9\n", ("note", "names", "is found as pi5.local", "hostname = \"pi5.local\"")),
        ("pi5", "pi5.local 192.168.1.8\n", ("warning", "names", "pi5.local is another machine", "hostnamectl")),
    ] {
        std::fs::write(place.config(), config.replace("mail.home.example", hostname)).expect("writes");
        place.put("answers/names", names);
        let said = place.doctor();
        assert!(said.has(wanted), "{wanted:?} is not in {}", said.out);
    }
}

#[test]
fn ports_of_a_stopped_server_must_be_free_and_allowed() {
    let place = Place::new("ports");
    place.configure("imap = '127.0.0.1:143'\nimaps = []\npop3 = []\npop3s = []\nlmtp = []\n");
    // 127.0.0.1:143 is 0100007F:008F there.
    let table = "sl local\n 0: 0100007F:008F 00000000:0000 0A 0:0 00:0 0 0 0 777 1\n";
    place.put("proc/net/tcp", table);
    place.put("proc/4711/comm", "dovecot\n");
    place.link("proc/4711/fd/9", "socket:[777]");
    let said = place.doctor();
    let taken =
        ("fault", "ports", "imap on 127.0.0.1:143 cannot be opened: dovecot has that port", "ss -ltnp 'sport = :143'");
    assert!(said.has(taken), "{}", said.out);
    assert!(said.has(("note", "ports", "ports below 1024 need a privilege", "sudo mailnook serve")), "{}", said.out);

    place.put("proc/sys/net/ipv4/ip_unprivileged_port_start", "80\n");
    assert!(!place.doctor().has(("note", "ports", "need a privilege", "")));
    place.put("proc/sys/net/ipv4/ip_unprivileged_port_start", "-");
    place.put("lib/systemd/system/mailnook.service", "[Service]\nUser=mailnook\n");
    let said = place.doctor();
    assert!(
        said.has(("fault", "ports", "may not open ports below 1024 by itself", "enable --now mailnook.socket")),
        "{}",
        said.out
    );

    place.configure("imap = []\nimaps = []\npop3 = []\npop3s = []\nlmtp = []\n");
    let unopened =
        ("fault", "ports", "mailnook.socket, which opens them, is not enabled", "enable --now mailnook.socket");
    assert!(place.doctor().has(unopened));
    place.link("etc/systemd/system/sockets.target.wants/mailnook.socket", "/lib/systemd/system/mailnook.socket");
    assert!(!place.doctor().has(unopened));
}
