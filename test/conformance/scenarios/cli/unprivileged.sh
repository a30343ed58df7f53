t 'setpriv --reuid 65534 --clear-groups ipvsadm -L -n'
t 'setpriv --reuid 65534 --clear-groups ipvsadm -A -t 10.0.0.100:95 -s rr'
