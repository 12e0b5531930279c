// exp, tanh, erf and the activations as templates over a vector type: one lane per value, the same operations in the
// same order in each, hence the same bits at any width. Included by the isa_*.cpp inside a target region; everything
// here is a template of the instruction set, so that no function compiled for one leaks into code for another. NaN in
// gives NaN out. Error bounds are those of elementwise_test.cpp, against double over dense sweeps.
#pragma once

#include "backend/cpu/kernels/kernels.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

template <class Isa>
struct Math {
  using F = typename Isa::F;

  // e^x within 1 ulp. 0 below -86.5 (e^x < 2.7e-38: never a denormal), infinity above 88.72.
  // With n = round(x / ln 2) and r = x - n ln 2: e^x = 2^n e^r, e^r by a minimax polynomial of degree 6.
  static F exp(F x) {
    const F lowest = Isa::set1(-86.5f);
    const F clamped = Isa::min(Isa::set1(89.0f), Isa::max(lowest, x));  // this order of arguments lets NaN through
    // The sum's unit is 1, so that its low bits hold n + 126; shifted into the exponent they are 2^(n - 1).
    const F bias = Isa::set1(0x1.8p23f + 126);
    const F sum = Isa::fma(clamped, Isa::set1(0x1.715476p+0f), bias);
    const F n = Isa::sub(sum, bias);
    F r = Isa::fnma(n, Isa::set1(0x1.62e43p-1f), clamped);
    r = Isa::fnma(n, Isa::set1(-0x1.05c61p-29f), r);
    // 2 e^r: twice, since 2^(n - 1) is finite where e^x is.
    F p = Isa::set1(0x1.6a3d7ap-9f);
    p = Isa::fma(p, r, Isa::set1(0x1.1239ep-6f));
    p = Isa::fma(p, r, Isa::set1(0x1.5558cp-4f));
    p = Isa::fma(p, r, Isa::set1(0x1.555492p-2f));
    p = Isa::fma(p, r, Isa::set1(0x1.fffffcp-1f));
    p = Isa::fma(p, r, Isa::set1(2.0f));
    p = Isa::fma(p, r, Isa::set1(2.0f));
    return Isa::select(Isa::gt(lowest, x), Isa::zero(), Isa::mul(p, Isa::exponent_from_low_bits(sum)));
  }

  // Within 2 ulp: an odd polynomial near 0, 1 - 2 / (e^2|x| + 1) elsewhere.
  static F tanh(F x) {
    const F a = Isa::abs(x);
    const F one = Isa::set1(1.0f), two = Isa::set1(2.0f);
    const F u = Isa::mul(a, a);
    F p = Isa::set1(-0x1.7547e2p-8f);
    p = Isa::fma(p, u, Isa::set1(0x1.5203f4p-6f));
    p = Isa::fma(p, u, Isa::set1(-0x1.b836f4p-5f));
    p = Isa::fma(p, u, Isa::set1(0x1.1106fcp-3f));
    p = Isa::fma(p, u, Isa::set1(-0x1.555532p-2f));
    const F near = Isa::fma(Isa::mul(p, u), a, a);
    const F far = Isa::sub(one, Isa::div(two, Isa::add(exp(Isa::add(a, a)), one)));
    const F result = Isa::select(Isa::gt(a, Isa::set1(0.625f)), far, near);
    return Isa::select(Isa::gt(Isa::zero(), x), Isa::neg(result), result);
  }

  // x / (1 + e^-x).
  static F silu(F x) { return Isa::div(x, Isa::add(Isa::set1(1.0f), exp(Isa::neg(x)))); }

  // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), as (0.5 x) (1 + tanh(c fma(x x x, 0.044715, x))).
  static F gelu_tanh(F x) {
    const F cube = Isa::mul(Isa::mul(x, x), x);
    const F inner = Isa::mul(Isa::set1(0.7978845608028654f), Isa::fma(cube, Isa::set1(0.044715f), x));
    return Isa::mul(Isa::mul(Isa::set1(0.5f), x), Isa::add(Isa::set1(1.0f), tanh(inner)));
  }

  // Within 2 ulp: x + x p(x^2) up to 0.90625, 1 - exp(-q(x)) beyond, where q is a minimax polynomial for -log(erfc(x)).
  // From 4 on the difference to 1 rounds away.
  static F erf(F x) {
    const F a = Isa::abs(x);
    const F u = Isa::mul(a, a);
    F p = Isa::set1(0x1.635adcp-14f);
    p = Isa::fma(p, u, Isa::set1(-0x1.ac27acp-11f));
    p = Isa::fma(p, u, Isa::set1(0x1.54fd34p-8f));
    p = Isa::fma(p, u, Isa::set1(-0x1.b813ep-6f));
    p = Isa::fma(p, u, Isa::set1(0x1.ce2e46p-4f));
    p = Isa::fma(p, u, Isa::set1(-0x1.812744p-2f));
    p = Isa::fma(p, u, Isa::set1(0x1.06eba8p-3f));
    const F near = Isa::fma(p, a, a);
    const F t = Isa::min(Isa::set1(4.0f), a);  // this order of arguments lets NaN through
    F q = Isa::set1(0x1.5ee3aep-16f);
    q = Isa::fma(q, t, Isa::set1(-0x1.c562b2p-12f));
    q = Isa::fma(q, t, Isa::set1(0x1.10b234p-8f));
    q = Isa::fma(q, t, Isa::set1(-0x1.9b1fep-6f));
    q = Isa::fma(q, t, Isa::set1(0x1.bb594ap-4f));
    q = Isa::fma(q, t, Isa::set1(0x1.444adep-1f));
    q = Isa::fma(q, t, Isa::set1(0x1.2126b4p+0f));
    q = Isa::fma(q, t, Isa::set1(-0x1.6679b2p-13f));
    const F far = Isa::sub(Isa::set1(1.0f), exp(Isa::neg(q)));
    const F result = Isa::select(Isa::gt(a, Isa::set1(0.90625f)), far, near);
    return Isa::select(Isa::gt(Isa::zero(), x), Isa::neg(result), result);
  }

  // 0.5 x (1 + erf(x / sqrt(2))).
  static F gelu_erf(F x) {
    const F inner = erf(Isa::mul(x, Isa::set1(0.7071067811865476f)));
    return Isa::mul(Isa::mul(Isa::set1(0.5f), x), Isa::add(Isa::set1(1.0f), inner));
  }

  // cap tanh(x / cap).
  static F softcap(F x, F cap) { return Isa::mul(cap, tanh(Isa::div(x, cap))); }

  // e^x of one value.
  static float exp1(float x) {
    float lanes[Isa::kLanes];
    Isa::storeu(lanes, exp(Isa::set1(x)));
    return lanes[0];
  }
};

// A sum over an index i as 16 partial sums, i mod 16 each, folded as 8 + 8, 4 + 4, 2 + 2, 1 + 1.
// Vector v of a step holds the indices [v kLanes, (v + 1) kLanes) of its 16.
template <class Isa>
struct StridedSum {
  using F = typename Isa::F;
  static constexpr uint32_t kVectors = 16 / Isa::kLanes;

  F partial[kVectors];

  StridedSum() {
    for (F& p : partial) p = Isa::zero();
  }
  float fold() const {
    float sums[16];
    for (uint32_t v = 0; v < kVectors; v++) Isa::storeu(sums + v * Isa::kLanes, partial[v]);
    for (uint32_t half = 8; half > 0; half /= 2) {
      for (uint32_t i = 0; i < half; i++) sums[i] += sums[i + half];
    }
    return sums[0];
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
