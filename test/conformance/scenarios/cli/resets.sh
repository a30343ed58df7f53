# What -e and -E leave as it was, and what they set back.
ipvs '-A -t 10.0.0.100:80 -s sh'
ipvs '-a -t 10.0.0.100:80 -r 10.1.0.1:8080 -m -w 7'
ipvs '-E -t 10.0.0.100:80'
ipvs -Sn
ipvs '-e -t 10.0.0.100:80 -r 10.1.0.1:8080 -m'
ipvs -Sn
ipvs '-e -t 10.0.0.100:80 -r 10.1.0.1:8080'
ipvs '-e -t 10.0.0.100:80 -r 10.1.0.1'
ipvs -Sn
ipvs '-a -t 10.0.0.100:80 -r 10.1.0.2 -m -w 5'
ipvs '-e -t 10.0.0.100:80 -r 10.1.0.2'
ipvs '-d -t 10.0.0.100:80 -r 10.1.0.2:99'
ipvs -Sn
