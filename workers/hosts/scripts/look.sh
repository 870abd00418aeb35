# The unit alone, for looking at it again and again.
unit=$1
print_unit "$unit"
printf 'end\0'
