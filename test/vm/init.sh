#!/bin/busybox sh
# Process 1 of the emulated machine: the host's files as a root that can be written without reaching the host, then the
# script, then off.
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
while read -r module; do busybox insmod "/modules/$module"; done </modules/order

share=trans=virtio,version=9p2000.L,msize=512000
busybox mount -t 9p -o "$share,ro,cache=loose" host /host
busybox mount -t 9p -o "$share" exchange /exchange
busybox mount -t tmpfs memory /memory
busybox mkdir /memory/upper /memory/work
busybox mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root

for folder in proc sys dev run mnt; do busybox mkdir -p /root/$folder; done
busybox mount -t proc proc /root/proc
busybox mount -t sysfs sys /root/sys
busybox mount -t devtmpfs dev /root/dev
busybox mount -t tmpfs run /root/run
busybox mount --bind /exchange /root/mnt
busybox ip link set lo up

busybox chroot /root /bin/sh /mnt/script >/exchange/stdout 2>/exchange/stderr </dev/null
echo $? >/exchange/status
busybox poweroff -f
