#!/bin/sh
# Installs the real servers that some tests start for themselves, from Debian's packages. Run it as root; run it again
# at will. Nothing is left running: the packages' own services are kept from starting, now and at the next boot.
set -eu

# What a test calls, and the package that brings it.
WANTED='
mosquitto         mosquitto
mosquitto_passwd  mosquitto
influxd           influxdb
chromium          chromium
node              nodejs
npm               npm
'

say() { printf 'test-services: %s\n' "$*"; }

find_program() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null 2>&1; }

missing_packages() {
    echo "$WANTED" | while read -r program package; do
        if [ -n "$program" ] && ! find_program "$program"; then echo "$package"; fi
    done | sort -u
}

missing=$(missing_packages | tr '\n' ' ')
if [ -z "$missing" ]; then
    say "everything is here already"
    exit 0
fi
if [ "${1:-}" = "--dry-run" ]; then
    say "would install: $missing"
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    say "missing: $missing; installing them takes root" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    say "missing: $missing; this script knows Debian and its kin only, install them your own way" >&2
    exit 1
fi

# Packages ask this file before they start a service; 101 means no. One that is here already stays as it is.
POLICY=/usr/sbin/policy-rc.d
if [ ! -e "$POLICY" ]; then
    trap 'rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
fi

say "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
failed=
for package in $missing; do
    if ! apt-get install -qq -y --no-install-recommends "$package" >/dev/null; then
        failed="$failed $package"
        continue
    fi
    case $package in
    mosquitto | influxdb)
        if command -v systemctl >/dev/null 2>&1; then
            systemctl disable --quiet "$package" 2>/dev/null || say "could not keep $package from starting at boot"
        fi
        ;;
    esac
done

if [ -n "$failed" ]; then
    say "could not install:$failed; the tests that need them will be skipped by name" >&2
    exit 1
fi
say "done"
