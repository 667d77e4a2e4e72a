# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For the scripts here that take files out of Debian 12's packages. Set $work, a directory that others may pass through, first.

# Where apt here fetches Debian 12 from, and through what; Debian's own mirror when that is not what this machine runs.
debian_sources() {
    for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        if grep -qs '^[^#]*bookworm' $list && ! grep -qs 'mirror+file' $list; then
            echo $list
            return
        fi
    done
}

# debian_root ARCH PACKAGES TAR [mmdebstrap's options…]: a root file system of these packages, which are only unpacked.
# debian_suite and debian_uri: not Debian 12 (bookworm), but this.
debian_root() {
    dr_arch=$1 dr_packages=$2 dr_tar=$3
    shift 3
    apt-config dump 2>/dev/null | grep -iE '^Acquire::(https?::proxy|Check-(Valid-Until|Date)|Retries)' >"$work/apt.conf" || true
    dr_mode=root
    [ "$(id -u)" -eq 0 ] || dr_mode=unshare
    TMPDIR=$work mmdebstrap --quiet --variant=extract --mode=$dr_mode --arch="$dr_arch" --include="$dr_packages" \
        --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Retries "5"' --aptopt="$work/apt.conf" "$@" \
        "${debian_suite:-bookworm}" "$dr_tar" "${debian_uri:-$(debian_sources)}" >"$work/log" 2>&1 && return
    cat "$work/log" >&2
    echo "$0: mmdebstrap failed" >&2
    return 1
}
