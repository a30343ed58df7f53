#!/bin/busybox sh
# Process 1 of the emulated machine: makes the host's files the root, writable without reaching the host, and goes there.
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
while read -r module; do busybox insmod "/modules/$module"; done </modules/order

share=trans=virtio,version=9p2000.L,msize=512000
busybox mount -t 9p -o "$share,ro,cache=loose" host /host
busybox mount -t tmpfs memory /memory
busybox mkdir /memory/upper /memory/work
busybox mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root

for folder in proc sys dev run mnt; do busybox mkdir -p /root/$folder; done
busybox mount -t proc proc /root/proc
busybox mount -t sysfs sys /root/sys
busybox mount -t devtmpfs dev /root/dev
busybox mount -t tmpfs run /root/run
busybox mount -t 9p -o "$share" exchange /root/mnt
busybox ip link set lo up

exec busybox switch_root /root /bin/sh /mnt/start
