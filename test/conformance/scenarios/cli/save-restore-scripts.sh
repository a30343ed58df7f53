t ipvsadm-save
ipvs '-A -t 10.0.0.100:80 -s wrr'
ipvs '-a -t 10.0.0.100:80 -r 10.1.0.1:8080 -m -w 3'
t 'ipvsadm-save -n >saved; cat saved'
t 'ipvsadm-save'
t 'ipvsadm -C; ipvsadm-restore <saved; ipvsadm -Sn | diff - saved && echo same'
t 'ipvsadm-save --help'
t 'ipvsadm-restore --help'
