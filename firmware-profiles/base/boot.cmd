# Run by U-Boot from the boot slot. slot.env says which root slot is in use, and which other one is to be
# tried once: that is forgotten before it starts, so that a reset finds the former one; where it cannot
# be forgotten it is not tried. A slot that cannot be loaded gives way to the other.
setenv from ${devtype} ${devnum}:${distro_bootpart}
setenv slot a
setenv try none
if load ${from} ${kernel_addr_r} slot.env; then env import -t ${kernel_addr_r} ${filesize} slot try; fi
if test "${slot}" = a; then setenv other b; else setenv other a; fi
setenv first ${slot}
if test "${try}" = "${other}"; then
  setenv try none
  env export -t ${kernel_addr_r} slot try
  if fatwrite ${from} ${kernel_addr_r} slot.env ${filesize}; then
    setenv first ${other}
    setenv other ${slot}
  fi
fi
for each in ${first} ${other}; do
  if load ${from} ${kernel_addr_r} ${each}/arguments.env; then
    env import -t ${kernel_addr_r} ${filesize} bootargs
    if load ${from} ${kernel_addr_r} ${each}/kernel; then
      if load ${from} ${ramdisk_addr_r} ${each}/initrd; then
        @BOOT@ ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
      fi
    fi
  fi
done
reset
