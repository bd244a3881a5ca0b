#!/bin/sh
# A newer software Vulkan (Mesa's lavapipe) beside the system's, on Debian: for cooperative matrices, which the one of
# Debian 12 has not. Nothing is installed: packages of the next release are unpacked into FOLDER with all they need, their
# C library included, and FOLDER/run starts a program on them.
#
#   benches/lavapipe.sh FOLDER
#   FOLDER/run target/release/tagwalk check --device gpu --adapter 0 --precision mixed --family cooperative
#
# Needs apt, the keys of Debian's archive, and 400 MB of disk. The mirror is the one that this system already uses.
set -eu
[ $# = 1 ] || { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2; }
suite=${SUITE:-trixie}
mkdir -p "$1"
folder=$(cd "$1" && pwd)
sources=/etc/apt/sources.list.d/debian.sources
[ -f $sources ] || { echo "lavapipe.sh: $sources is not there: this is not Debian 12 or later" >&2; exit 2; }
mirror=$(awk '/^URIs:/ { print $2; exit }' $sources)

cd "$folder"
mkdir -p parts lists/partial cache/archives/partial
: >status
printf 'Types: deb\nURIs: %s\nSuites: %s %s-backports\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$mirror" "$suite" "$suite" >parts/next.sources
# A world of its own: neither the system's packages nor its lists are seen or changed.
next() {
    apt-get -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$folder/parts" -o Dir::State::lists="$folder/lists" \
        -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/cache" -o APT::Install-Recommends=false "$@"
}
next update
next -y --download-only install -t "$suite-backports" mesa-vulkan-drivers
for package in cache/archives/*.deb; do
    dpkg-deb -x "$package" root
done

libraries=$(dirname "$(find "$folder/root/usr/lib" -name libvulkan_lvp.so | head -n 1)")
loader=$(find "$folder/root/usr/" -name 'ld-linux-*.so.*' | head -n 1)
sed "s|\"library_path\": *\"[^\"]*\"|\"library_path\": \"$libraries/libvulkan_lvp.so\"|" \
    "$(find "$folder/root/usr/share/vulkan/icd.d" -name 'lvp_icd*.json' | head -n 1)" >driver.json
cat >run <<END
#!/bin/sh
VK_DRIVER_FILES=$folder/driver.json exec $loader --library-path $libraries "\$@"
END
chmod +x run
echo "lavapipe.sh: $folder/run starts a program on it"
