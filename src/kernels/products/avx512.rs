//! AVX-512: 14 rows of 32 channels in 28 of the 32 registers; with or without the instructions of AVX-512 BF16, which
//! take subnormal numbers for zeros.

use std::arch::x86_64::*;

use super::{Simd, Work};
use crate::kernels::bf16::Bf16;

#[derive(Clone, Copy)]
pub struct Avx512<const BF16: bool>;

impl<const BF16: bool> Simd for Avx512<BF16> {
    const LANES: usize = 16;
    const VECTORS: usize = 2;
    const ROWS: usize = 14;
    type V = __m512;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn stream(p: *mut f32, v: __m512) {
        unsafe { _mm512_stream_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn fence() {
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn where_equal(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    unsafe fn where_greater(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    unsafe fn widen(p: *const Bf16) -> __m512 {
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast())))) }
    }
    #[inline(always)]
    unsafe fn narrow(p: *mut Bf16, v: __m512) {
        unsafe {
            let halves = if BF16 {
                std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v))
            } else {
                _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(_mm512_castps_si512(Self::rounded(v))))
            };
            _mm256_storeu_si256(p.cast(), halves);
        }
    }
    #[inline(always)]
    unsafe fn rounded(v: __m512) -> __m512 {
        unsafe {
            if BF16 {
                let halves = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v));
                return _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)));
            }
            let bits = _mm512_castps_si512(v);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
            let rounded = _mm512_and_si512(up, _mm512_set1_epi32(!0xffff));
            // What is no number stays none.
            let none = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            _mm512_castsi512_ps(_mm512_mask_mov_epi32(rounded, none, _mm512_set1_epi32(0x7fc0_0000)))
        }
    }
    #[inline(always)]
    unsafe fn pairs(low: __m512, high: __m512) -> __m512 {
        unsafe {
            if BF16 {
                // All of `low`, then all of `high`; then each beside the other.
                let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
                const BESIDE: [u16; 32] = {
                    let mut places = [0; 32];
                    let mut i = 0;
                    while i < 32 {
                        places[i] = (i / 2 + 16 * (i % 2)) as u16;
                        i += 1;
                    }
                    places
                };
                let beside = _mm512_loadu_si512(BESIDE.as_ptr().cast());
                return _mm512_castsi512_ps(_mm512_permutexvar_epi16(beside, both));
            }
            let low = _mm512_srli_epi32::<16>(_mm512_castps_si512(Self::rounded(low)));
            _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_castps_si512(Self::rounded(high))))
        }
    }
    #[inline(always)]
    unsafe fn dot(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe {
            if BF16 {
                return _mm512_dpbf16_ps(
                    c,
                    std::mem::transmute::<__m512, __m512bh>(a),
                    std::mem::transmute::<__m512, __m512bh>(b),
                );
            }
            let c = Self::fma(Self::highs(a), Self::highs(b), c);
            Self::fma(Self::lows(a), Self::lows(b), c)
        }
    }
    #[inline(always)]
    unsafe fn turn(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        unsafe {
            let mut rows = [_mm512_setzero_ps(); 16];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = _mm512_loadu_ps(from.add(i * from_row));
            }
            // Single lanes, pairs of lanes, then quarters of a register change places between two rows: log2 of 16 steps.
            let mut ones = rows;
            for i in 0..8 {
                ones[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
                ones[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
            }
            // Row 4i + j holds, of four rows, column j of each quarter.
            let mut twos = rows;
            for i in 0..4 {
                for j in 0..2 {
                    let (a, b) = (_mm512_castps_pd(ones[4 * i + j]), _mm512_castps_pd(ones[4 * i + 2 + j]));
                    twos[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    twos[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            for j in 0..4 {
                let [a, b, c, d] = [twos[j], twos[4 + j], twos[8 + j], twos[12 + j]];
                let (even_low, odd_low) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                let (even_high, odd_high) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
                _mm512_storeu_ps(to.add(j * to_row), _mm512_shuffle_f32x4::<0x88>(even_low, even_high));
                _mm512_storeu_ps(to.add((8 + j) * to_row), _mm512_shuffle_f32x4::<0xdd>(even_low, even_high));
                _mm512_storeu_ps(to.add((4 + j) * to_row), _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high));
                _mm512_storeu_ps(to.add((12 + j) * to_row), _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high));
            }
        }
    }
    #[inline(always)]
    unsafe fn lows(pairs: __m512) -> __m512 {
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(pairs))) }
    }
    #[inline(always)]
    unsafe fn highs(pairs: __m512) -> __m512 {
        unsafe { _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(pairs), _mm512_set1_epi32(!0xffff))) }
    }
}

/// # Safety
/// The processor has AVX-512F.
#[target_feature(enable = "avx512f,avx2,fma")]
pub unsafe fn run<W: Work>(work: W) {
    // Orders the streaming stores before the work's end is seen.
    unsafe {
        work.run::<Avx512<false>>();
        Avx512::<false>::fence();
    }
}

/// # Safety
/// The processor has AVX-512F, BW and BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx2,fma")]
pub unsafe fn run_bf16<W: Work>(work: W) {
    // Orders the streaming stores before the work's end is seen.
    unsafe {
        work.run::<Avx512<true>>();
        Avx512::<true>::fence();
    }
}
