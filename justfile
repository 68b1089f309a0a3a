# Shorthand for those who have just. Everything is in ./dev.

# list these
default:
    @just --list

# seven months of one provider in about a minute
demo *args:
    ./dev demo {{args}}

# the whole gate
test:
    ./dev test

# the gate, and what takes longer
long:
    ./dev test --long

# N fresh seeds of the simulator, a year each
sim *args:
    ./dev sim {{args}}

# every bench target beside its peer
bench *args:
    ./dev bench {{args}}

# every fuzz target
fuzz *args:
    ./dev fuzz {{args}}

# format, lints, tidy
check:
    ./dev check

# format all code
fmt:
    ./dev fmt

# the repository's own rules
tidy:
    ./dev tidy

# how long files and functions are
metrics:
    ./dev metrics
