#!/bin/bash
# build.sh KERNEL OUT: makes the lab's machine in the new folder OUT: vmlinuz, initrd.gz, root.sqfs and packages (what is inside).
# KERNEL is the name of a Debian kernel package. The same package versions give the same bytes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
package=$1 out=$2
release=${package#linux-image-}
export SOURCE_DATE_EPOCH=1763600000 TZ=UTC LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$(dirname "$out")/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
list() { sed -n 's/#.*//; s/^'"$2"'//p' "$here/$1" | awk 'NF { print $1 }'; }
say() { echo "lab: $* (${SECONDS} s)"; }

say "fetching $package"
mkdir "$work/image" "$work/kernel" "$work/overlay"
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg-deb -x "$package"_*.deb kernel)
cp "$work/kernel/boot/vmlinuz-$release" "$work/image/vmlinuz"
depmod -b "$work/kernel" "$release"

# Prints the module files, dependencies first, that the named modules need.
files_of() {
	for module in "$@"; do
		modprobe -d "$work/kernel" -S "$release" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
	done | awk '!seen[$0]++'
}

initrd() {
	local tree=$work/initrd
	mkdir -p "$tree"/{bin,proc,sys,dev,lower,upper,newroot,modules}
	cp /bin/busybox "$tree/bin/"
	ln -s busybox "$tree/bin/sh"
	install -m 755 "$here/initrd-init" "$tree/init"
	# shellcheck disable=SC2046 # one word per module
	for file in $(files_of $(list modules 'initrd ')); do
		cp "$file" "$tree/modules/"
		basename "$file" >>"$tree/modules/order"
	done
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	(cd "$tree" && find . -print0 | sort -z | cpio -o0 -H newc -R 0:0 --quiet --reproducible | gzip -n) >"$work/image/initrd.gz"
}

overlay() {
	local tree=$work/overlay modules=$work/overlay/usr/lib/modules/$release
	local units=$tree/etc/systemd/system name
	mkdir -p "$modules" "$tree/usr/sbin" "$units/multi-user.target.wants"
	# shellcheck disable=SC2046
	for file in $(files_of $(list modules '\(initrd\|root\) ')); do
		install -D -m 644 "$file" "$modules/${file#*"/lib/modules/$release/"}"
	done
	cp "$work/kernel/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$modules/"
	ln -s usr/lib "$tree/lib" && depmod -b "$tree" "$release" && rm "$tree/lib"
	install -m 755 "$here/lab-init" "$tree/usr/sbin/lab-init"
	echo "Waldo hardware lab" >"$tree/etc/waldo-lab"
	install -m 644 "$here/lab.service" "$units/"
	ln -s ../lab.service "$units/multi-user.target.wants/"
	# What a guest that lives for minutes has no use for.
	for name in $(list masked-units ''); do
		ln -s /dev/null "$units/$name"
	done
	tar -C "$tree" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf "$work/overlay.tar" usr etc
}

root() {
	local include sudo=
	include=$(list guest-packages '' | paste -sd,)
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" mmdebstrap --quiet --variant=essential --format=tar --include="$include" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="tar-in $work/overlay.tar /" \
		--customize-hook='echo lab >"$1/etc/hostname"; : >"$1/etc/machine-id"; rm -f "$1"/etc/resolv.conf' \
		--customize-hook='dpkg-query --admindir="$1/var/lib/dpkg" -W >"$1/etc/waldo-lab-packages"' \
		bookworm "$work/root.tar" ${LAB_MIRROR:+"$LAB_MIRROR"}
	tar -xOf "$work/root.tar" ./etc/waldo-lab-packages >"$work/image/packages"
	# sqfstar remarks that the archive's root has no name.
	sqfstar -quiet -no-progress -comp lz4 -root-mode 755 "$work/image/root.sqfs" <"$work/root.tar" 2>&1 |
		{ grep -v '^Empty tar filename' || true; }
}

say "initrd"
initrd
overlay
say "root"
root
say "done: $(du -sh "$work/image" | cut -f1)"
rm -rf "$out"
mv "$work/image" "$out"
