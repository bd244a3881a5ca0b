"""Student's t, 97.5 %, by degrees of freedom, for scripts that have no scipy."""

TABLE = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
         2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042]


def t(freedom):
    """To three digits: a table up to 30, beyond it the expansion by 1 / freedom (Abramowitz and Stegun 26.7.5)."""
    z = 1.959964
    if freedom <= len(TABLE):
        return TABLE[freedom - 1]
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
