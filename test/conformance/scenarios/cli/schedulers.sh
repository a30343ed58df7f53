# The schedulers that are least used.
for scheduler in fo ovf mh twos none; do ipvs "-A -u 10.0.0.100:60$((++number)) -s $scheduler"; done
ipvs -Ln
ipvs -Sn
