# What is restored when a line is wrong.
ipvs '-A -t 10.0.0.100:90 -s rr'
t 'ipvsadm -Sn | ipvsadm -R'
t 'printf -- "-A -t 10.0.0.100:80 -s rr\n-A -t 10.0.0.100:80 -s rr\n-A -u 10.0.0.100:80 -s rr\n" | ipvsadm -R; ipvsadm -Sn; ipvsadm -C'
t 'printf -- "# comment\n\n-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.1:80 -m\n" | ipvsadm -R; ipvsadm -Sn; ipvsadm -C'
t 'printf -- "-A -t 10.0.0.100:80 -s rr\nbogus line\n-a -t 10.0.0.100:80 -r 10.1.0.3:80\n" | ipvsadm -R; ipvsadm -Sn; ipvsadm -C'
t 'printf -- "-A -t 10.0.0.100:80 -s \"rr\"\n-L -n\n-C\n" | ipvsadm -R; ipvsadm -Sn; ipvsadm -C'
t 'printf -- "add-service --tcp-service 10.0.0.100:80 --scheduler rr\n" | ipvsadm -R'
t 'printf -- "-D -t 1.2.3.4:5\n-A -t 10.0.0.100:81\n" | ipvsadm -R'
t 'printf -- "-A -t 10.0.0.100:82\n-D -t 1.2.3.4:5\n" | ipvsadm -R'
ipvs -Sn
