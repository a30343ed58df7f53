# Rates that nobody moves on stay as they are.
serve "-t $VIP:80 -s rr" -g 1 1
setting run_estimation 0
open 20 tcp 10.0.0.1 30000 $VIP 80
settle
ipvs '-Ln --rate'
