"""What training will cost before it starts."""

CPU_FLOPS_PER_S = 3e10  # what decoders of about a million parameters reach on two CPU cores, for rough estimates


def peak_flops_per_s(runtime):
    return None
