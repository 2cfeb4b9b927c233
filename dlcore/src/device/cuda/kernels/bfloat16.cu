// Numbers for products in bfloat16: the upper half of a float, rounded to the nearest and to the even one of two.

__device__ inline unsigned short bfloat16_of(float x) {
    unsigned bits = (unsigned)__float_as_int(x);
    if (x != x) return (unsigned short)(bits >> 16 | 0x40);
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

KERNEL(to_bfloat16)(unsigned short* out, const float* in, long long n) {
    EACH(i, n) out[i] = bfloat16_of(in[i]);
}

// The same numbers as floats, for cards that do not multiply bfloat16.
KERNEL(round_to_bfloat16)(float* out, const float* in, long long n) {
    EACH(i, n) out[i] = __int_as_float((int)((unsigned)bfloat16_of(in[i]) << 16));
}
