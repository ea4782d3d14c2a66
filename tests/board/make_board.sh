#!/usr/bin/env bash
# An arm64 board to test on, emulated: Debian's Python and the aarch64 wheels a robot needs, below FOLDER. Some minutes.
#   tests/board/make_board.sh FOLDER      then: EDGECNN_BOARD=FOLDER pytest -m board
# As root, after: apt-get install debootstrap qemu-user-static binfmt-support
set -euo pipefail

board=${1:?"usage: $0 FOLDER"}
PYTHON=${PYTHON:-python3}
packages=(numpy msgspec click opencv-python-headless pyyaml rich onnxruntime ncnn)

handlers=/proc/sys/fs/binfmt_misc
[ -e $handlers/register ] || mount -t binfmt_misc binfmt_misc $handlers
[ -e $handlers/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64

# Packages are only unpacked: Python needs no more, and configuring them under emulation takes twenty minutes.
debootstrap --foreign --arch=arm64 --variant=minbase --include=python3 bookworm "$board"
for package in "$board"/var/cache/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$board"
done

# What ONNX Runtime asks about the processor, for there is no /sys.
mkdir -p "$board/sys/devices/system/cpu"
for list in possible present; do
    echo 0-1 > "$board/sys/devices/system/cpu/$list"
done

platforms=(manylinux2014_aarch64 manylinux_2_17_aarch64 manylinux_2_27_aarch64 manylinux_2_28_aarch64)
"$PYTHON" -m pip install --quiet --upgrade --only-binary=:all: --implementation cp --python-version 3.11 \
    "${platforms[@]/#/--platform=}" --target "$board/usr/local/lib/python3.11/dist-packages" "${packages[@]}"

chroot "$board" /usr/bin/python3 -c 'import platform, cv2, ncnn, onnxruntime; print("a board:", platform.machine())'
