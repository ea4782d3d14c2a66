import msgspec
import pytest

from edgecnn.bench.disturbance import disturbances, mean_power_w, other_load, probe_table
from edgecnn.bench.environment import fingerprint, machine_name
from edgecnn.bench.probes import Snapshot, parse_get_throttled, parse_nvpmodel, run_command, snapshot

QUIET = Snapshot(
    time_s=0.0,
    load_1min=0.1,
    governors=("performance",),
    clocks_mhz=(3000.0, 3000.0),
    max_clocks_mhz=(3000.0, 3000.0),
    temperatures_c={"thermal_zone0:cpu": 50.0},
    throttle_counts={"cpu0": 3},
    busy_s=100.0,
    stolen_s=0.0,
    own_s=10.0,
    energy_uj={"intel-rapl:0": 1_000_000},
    energy_range_uj={"intel-rapl:0": 10_000_000},
)


def shots(count=11, **last):
    """One shot a second of a quiet machine that works for us alone; `last` changes the last one."""
    quiet = [
        msgspec.structs.replace(QUIET, time_s=float(i), busy_s=100.0 + 2 * i, own_s=10.0 + 2 * i) for i in range(count)
    ]
    return [*quiet[:-1], msgspec.structs.replace(quiet[-1], **last)]


def board(root):
    files = {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2400000\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "7\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "61234\n",
        "sys/class/thermal/thermal_zone1/type": "gpu-off\n",
        "sys/class/powercap/intel-rapl:0/energy_uj": "123\n",
        "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "999\n",
        "sys/class/powercap/intel-rapl:0:0/energy_uj": "55\n",
        "proc/stat": "cpu  100 20 30 4000 5 6 7 80 0 0\ncpu0 1 2 3\n",
        "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd asimddp\nModel\t\t: Raspberry Pi 5\n",
        "proc/meminfo": "MemTotal:        8388608 kB\n",
        "proc/device-tree/model": "Raspberry Pi 5 Model B\0",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_board_is_read_as_it_says(tmp_path):
    answers = {"vcgencmd": "throttled=0x50005\n", "nvpmodel": "NV Power Mode: MAXN_SUPER\n2\n"}
    shot = snapshot(board(tmp_path), lambda command: answers[command[0]])
    assert shot.governors == ("ondemand",)
    assert shot.clocks_mhz == (1500.0,)
    assert shot.max_clocks_mhz == (2400.0,)
    assert shot.temperatures_c == {"thermal_zone0:cpu-thermal": 61.234}
    assert shot.throttle_counts == {"cpu0": 7}
    assert shot.energy_uj == {"intel-rapl:0": 123}
    assert shot.energy_range_uj == {"intel-rapl:0": 999}
    assert shot.busy_s == pytest.approx(1.63)
    assert shot.stolen_s == pytest.approx(0.8)
    assert shot.pi_throttled == 0x50005
    assert shot.power_mode == "MAXN_SUPER (2)"


def test_what_is_absent_is_none(tmp_path):
    shot = snapshot(tmp_path, lambda _: None)
    absent = {name for name, value in msgspec.structs.asdict(shot).items() if value is None}
    assert absent == {
        "governors",
        "clocks_mhz",
        "max_clocks_mhz",
        "temperatures_c",
        "throttle_counts",
        "busy_s",
        "stolen_s",
        "energy_uj",
        "energy_range_uj",
        "pi_throttled",
        "power_mode",
    }
    assert disturbances([shot, shot, shot], 2) == ()
    assert mean_power_w([shot, shot]) is None


def test_this_machine_can_be_read():
    first, second = snapshot(), snapshot()
    assert second.time_s >= first.time_s
    assert second.own_s >= first.own_s
    assert disturbances([first, second], 2) is not None
    machine = fingerprint()
    assert machine["cores"] >= 1
    assert machine["packages"]["numpy"]
    assert machine_name(machine).endswith("cores")


def test_fingerprint_of_a_board(tmp_path):
    machine = fingerprint(board(tmp_path))
    assert machine["board"] == "Raspberry Pi 5 Model B"
    assert machine["cpu"] == "Raspberry Pi 5"
    assert machine["cpu_flags"] == ["asimd", "asimddp"]
    assert machine["memory_mib"] == 8192
    assert machine["virtual_machine"] is False
    assert machine["jetson"] is None


@pytest.mark.parametrize("text", [None, "", "error", "throttled=", "throttled=zz"])
def test_throttle_bits_of_nonsense_are_none(text):
    assert parse_get_throttled(text) is None


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("NV Power Mode: 15W\n0\n", "15W (0)"),
        ("NV Fan Mode:quiet\nNV Power Mode: MAXN", "MAXN"),
        ("no", None),
        (None, None),
    ],
)
def test_power_modes(text, mode):
    assert parse_nvpmodel(text) == mode


def test_a_command_that_is_not_there_or_fails_is_none():
    assert run_command(("no-such-program-here",)) is None
    assert run_command(("false",)) is None
    assert run_command(("echo", "yes")) == "yes\n"


def test_a_quiet_run_has_nothing_to_say():
    assert disturbances(shots(), 2) == ()


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"throttle_counts": {"cpu0": 5}}, "throttled for heat 2 times"),
        ({"busy_s": 140.0}, "other processes took 100 % of the CPU"),
        ({"stolen_s": 2.0}, "the hypervisor gave 10 % of the CPU"),
    ],
)
def test_what_disturbed_a_run_is_said(last, said):
    assert any(said in sentence for sentence in disturbances(shots(**last), 2))


@pytest.mark.parametrize(
    ("before", "during", "after", "said"),
    [
        (0x0, 0x0, 0x40000, ["throttled"]),
        (0x50000, 0x0, 0x50000, []),
        (0x50000, 0x0, 0x70000, ["clock capped"]),
        (0x0, 0x1, 0x10000, ["under-voltage"]),
        (0x4, 0x4, 0x4, ["throttled"]),
    ],
)
def test_pi_bits_that_were_set_before_the_run_are_not_its_own(before, during, after, said):
    bits = iter([before, during, after])
    run = [msgspec.structs.replace(shot, pi_throttled=next(bits)) for shot in shots(3)]
    assert [sentence.split("reports ")[1].split(" during")[0] for sentence in disturbances(run, 2)] == said


def test_sinking_clocks_are_said_and_an_idle_start_is_not():
    sinking = [msgspec.structs.replace(s, clocks_mhz=(3000.0 - 80 * i,) * 2) for i, s in enumerate(shots())]
    assert any("CPU clocks sank from" in sentence for sentence in disturbances(sinking, 2))
    run = shots()
    idle = [msgspec.structs.replace(run[0], clocks_mhz=(800.0, 800.0)), *run[1:-1]]
    idle.append(msgspec.structs.replace(run[-1], clocks_mhz=(800.0, 800.0)))
    assert disturbances(idle, 2) == ()


def test_a_governor_that_follows_the_load_is_said():
    run = [msgspec.structs.replace(shot, governors=("powersave",)) for shot in shots()]
    assert "CPU governor is 'powersave'" in disturbances(run, 2)[0]


def test_energy_counters_wrap():
    energies = [9_000_000, 1_000_000, 3_000_000]
    run = [msgspec.structs.replace(s, energy_uj={"intel-rapl:0": e}) for s, e in zip(shots(3), energies, strict=True)]
    assert mean_power_w(run) == pytest.approx((2 + 2) / 2)


def test_our_own_work_is_not_others_load():
    assert other_load(shots(), 2) == 0.0


def test_the_table_keeps_ends_whole_and_the_range_between():
    table = probe_table(shots())
    assert table["before"]["time_s"] == 0.0
    assert table["after"]["time_s"] == 10.0
    assert table["during"]["shots"] == 9
    assert table["during"]["mean_clock_mhz"] == {"min": 3000.0, "median": 3000.0, "max": 3000.0}
