// The elementwise kernels of KernelTable as templates over a vector type (see math.inl.h on how bits stay the same).
// Lanes are channels; the only sums over channels are the 16 strided partial sums of StridedSum.
#pragma once

#include "backend/cpu/kernels/math.inl.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

template <class Isa>
struct Elementwise {
  using F = typename Isa::F;
  using Functions = Math<Isa>;
  static constexpr uint32_t kLanes = Isa::kLanes;

  // out[i] = (x[i] * inv) * weight[i], inv = 1 / sqrt(sum / n + eps), sum by fma into strided partial sums.
  static void rms_norm(const float* x, const float* weight, float eps, uint32_t n, float* out) {
    StridedSum<Isa> squares;
    uint32_t i = 0;
    for (; i + 16 <= n; i += 16) {
      for (uint32_t v = 0; v < StridedSum<Isa>::kVectors; v++) {
        const F a = Isa::loadu(x + i + v * kLanes);
        squares.partial[v] = Isa::fma(a, a, squares.partial[v]);
      }
    }
    for (uint32_t v = 0; i < n; v++, i += kLanes) {
      const F a = Isa::load_partial(x + i, lanes_left(i, n));  // its zeros leave their sums as they are
      squares.partial[v] = Isa::fma(a, a, squares.partial[v]);
    }
    const float mean = squares.fold() / static_cast<float>(n);
    map(x, weight, n, out, Normalise{Isa::set1(1.0f / __builtin_sqrtf(mean + eps))});
  }

  // With d[i] = x[i] - sum(x) / n: inv = 1 / sqrt(sum(d^2) / n + eps), out[i] = fma(d[i] * inv, weight[i], bias[i]).
  // The sums are strided partial sums, of the squares by fma.
  static void layer_norm(const float* x, const float* weight, const float* bias, float eps, uint32_t n, float* out) {
    const float mean = strided(x, n, AddValue{}) / static_cast<float>(n);
    const F shift = Isa::set1(mean);
    const float variance = strided(x, n, AddSquaredDistance{shift}) / static_cast<float>(n);
    const F inv = Isa::set1(1.0f / __builtin_sqrtf(variance + eps));
    for (uint32_t i = 0; i < n; i += kLanes) {
      const uint32_t left = lanes_left(i, n);
      const F d = Isa::sub(Isa::load_partial(x + i, left), shift);
      Isa::store_partial(
          out + i, left,
          Isa::fma(Isa::mul(d, inv), Isa::load_partial(weight + i, left), Isa::load_partial(bias + i, left)));
    }
  }

  static void add(const float* a, const float* b, uint32_t n, float* out) { map(a, b, n, out, Add{}); }

  static void scale(const float* x, float factor, uint32_t n, float* out) {
    map(x, x, n, out, Scale{Isa::set1(factor)});
  }

  static void softcap(const float* x, float cap, uint32_t n, float* out) { map(x, x, n, out, Softcap{Isa::set1(cap)}); }

  static void gated(Activation activation, const float* gate, const float* up, uint32_t n, float* out) {
    switch (activation) {
      case Activation::kSilu:
        return map(gate, up, n, out, SiluGate{});
      case Activation::kGeluTanh:
        return map(gate, up, n, out, GeluTanhGate{});
      case Activation::kGeluErf:
        return map(gate, up, n, out, GeluErfGate{});
    }
  }

  static void activate(Activation activation, const float* x, uint32_t n, float* out) {
    switch (activation) {
      case Activation::kSilu:
        return map(x, x, n, out, Silu{});
      case Activation::kGeluTanh:
        return map(x, x, n, out, GeluTanh{});
      case Activation::kGeluErf:
        return map(x, x, n, out, GeluErf{});
    }
  }

  // Of a pair (a, b): a' = fma(-b, sin, a cos), b' = fma(a, sin, b cos).
  static void rope(const float* x, const float* cos, const float* sin, uint32_t heads, uint32_t head_dim,
                   uint32_t pairs, bool interleaved, float* out) {
    if (interleaved) {
      rope_interleaved(x, cos, sin, heads, head_dim, pairs, out);
    } else {
      for (uint32_t h = 0; h < heads; h++) rope_halves(x + h * head_dim, cos, sin, pairs, out + h * head_dim);
    }
    if (x == out) return;
    for (uint32_t h = 0; h < heads; h++) {
      for (uint32_t d = 2 * pairs; d < head_dim; d++) out[h * head_dim + d] = x[h * head_dim + d];
    }
  }

  static float exp_sum(const float* x, float max, uint32_t n, float* out) {
    StridedSum<Isa> sum;
    const F shift = Isa::set1(max);
    uint32_t i = 0;
    for (; i + 16 <= n; i += 16) {
      for (uint32_t v = 0; v < StridedSum<Isa>::kVectors; v++) {
        const F e = Functions::exp(Isa::sub(Isa::loadu(x + i + v * kLanes), shift));
        if (out != nullptr) Isa::storeu(out + i + v * kLanes, e);
        sum.partial[v] = Isa::add(sum.partial[v], e);
      }
    }
    for (uint32_t v = 0; i < n; v++, i += kLanes) {
      const uint32_t left = lanes_left(i, n);
      const F e = Functions::exp(Isa::sub(Isa::load_partial(x + i, left), shift));
      if (out != nullptr) Isa::store_partial(out + i, left, e);
      sum.partial[v] = Isa::add(sum.partial[v], Isa::select(Isa::first_n(left), e, Isa::zero()));
    }
    return sum.fold();
  }

  static float max(const float* x, uint32_t n) {
    F largest = Isa::set1(-__builtin_inff());
    typename Isa::M nan = Isa::first_n(0);
    for (uint32_t i = 0; i < n; i += kLanes) {
      // The last vector may overlap the one before it: a maximum may see a value twice.
      const F a = i + kLanes <= n ? Isa::loadu(x + i)
                  : n >= kLanes   ? Isa::loadu(x + n - kLanes)
                                  : Isa::select(Isa::first_n(n), Isa::load_partial(x, n), largest);
      largest = Isa::max(a, largest);
      nan = Isa::mask_or(nan, Isa::is_nan(a));
    }
    if (Isa::any(nan)) return __builtin_nanf("");
    float lanes[kLanes];
    Isa::storeu(lanes, largest);
    float result = lanes[0];
    for (float lane : lanes) result = lane > result ? lane : result;
    return result + 0.0f;  // which of two zeros came first depends on the width
  }

  static bool all_finite(const float* x, uint32_t n) {
    typename Isa::M finite = Isa::first_n(kLanes);
    for (uint32_t i = 0; i < n; i += kLanes) {
      const F a = i + kLanes <= n ? Isa::loadu(x + i) : Isa::load_partial(x + i, n - i);
      finite = Isa::mask_and(finite, Isa::is_finite(a));
    }
    return Isa::all(finite);
  }

 private:
  struct Normalise {
    F inv;
    F operator()(F x, F weight) const { return Isa::mul(Isa::mul(x, inv), weight); }
  };
  struct Add {
    F operator()(F a, F b) const { return Isa::add(a, b); }
  };
  struct Scale {
    F factor;
    F operator()(F x, F) const { return Isa::mul(x, factor); }
  };
  struct Softcap {
    F cap;
    F operator()(F x, F) const { return Functions::softcap(x, cap); }
  };
  struct SiluGate {
    F operator()(F gate, F up) const { return Isa::mul(Functions::silu(gate), up); }
  };
  struct GeluTanhGate {
    F operator()(F gate, F up) const { return Isa::mul(Functions::gelu_tanh(gate), up); }
  };

  struct GeluErfGate {
    F operator()(F gate, F up) const { return Isa::mul(Functions::gelu_erf(gate), up); }
  };
  struct Silu {
    F operator()(F x, F) const { return Functions::silu(x); }
  };
  struct GeluTanh {
    F operator()(F x, F) const { return Functions::gelu_tanh(x); }
  };
  struct GeluErf {
    F operator()(F x, F) const { return Functions::gelu_erf(x); }
  };

  struct AddValue {
    F operator()(F sum, F x) const { return Isa::add(sum, x); }
  };
  struct AddSquaredDistance {
    F from;
    F operator()(F sum, F x) const {
      const F d = Isa::sub(x, from);
      return Isa::fma(d, d, sum);
    }
  };

  // The strided sum over x; add_term(partial, x) is the partial sum with one more term.
  template <class AddTerm>
  static float strided(const float* x, uint32_t n, AddTerm add_term) {
    StridedSum<Isa> sum;
    uint32_t i = 0;
    for (; i + 16 <= n; i += 16) {
      for (uint32_t v = 0; v < StridedSum<Isa>::kVectors; v++) {
        sum.partial[v] = add_term(sum.partial[v], Isa::loadu(x + i + v * kLanes));
      }
    }
    for (uint32_t v = 0; i < n; v++, i += kLanes) {
      const uint32_t left = lanes_left(i, n);
      const F next = add_term(sum.partial[v], Isa::load_partial(x + i, left));
      sum.partial[v] = Isa::select(Isa::first_n(left), next, sum.partial[v]);
    }
    return sum.fold();
  }

  static uint32_t lanes_left(uint32_t i, uint32_t n) { return n - i < kLanes ? n - i : kLanes; }

  // out[i] = op(a[i], b[i]).
  template <class Op>
  static void map(const float* a, const float* b, uint32_t n, float* out, Op op) {
    uint32_t i = 0;
    for (; i + kLanes <= n; i += kLanes) Isa::storeu(out + i, op(Isa::loadu(a + i), Isa::loadu(b + i)));
    if (i < n) {
      const uint32_t left = n - i;
      Isa::store_partial(out + i, left, op(Isa::load_partial(a + i, left), Isa::load_partial(b + i, left)));
    }
  }

  static void rotate(F a, F b, F cos, F sin, F& rotated_a, F& rotated_b) {
    rotated_a = Isa::fnma(b, sin, Isa::mul(a, cos));
    rotated_b = Isa::fma(a, sin, Isa::mul(b, cos));
  }

  static void rope_halves(const float* x, const float* cos, const float* sin, uint32_t pairs, float* out) {
    for (uint32_t i = 0; i < pairs; i += kLanes) {
      const uint32_t left = lanes_left(i, pairs);
      F a, b;
      rotate(Isa::load_partial(x + i, left), Isa::load_partial(x + pairs + i, left), Isa::load_partial(cos + i, left),
             Isa::load_partial(sin + i, left), a, b);
      Isa::store_partial(out + i, left, a);
      Isa::store_partial(out + pairs + i, left, b);
    }
  }

  static void rope_interleaved(const float* x, const float* cos, const float* sin, uint32_t heads, uint32_t head_dim,
                               uint32_t pairs, float* out) {
    // x' = fma(swapped x, sin', x cos') with each cos twice and each sin as -sin, sin.
    float cosines[kMaxHeadDim], sines[kMaxHeadDim];
    for (uint32_t i = 0; i < pairs; i++) {
      cosines[2 * i] = cosines[2 * i + 1] = cos[i];
      sines[2 * i] = -sin[i];
      sines[2 * i + 1] = sin[i];
    }
    for (uint32_t h = 0; h < heads; h++) turn(x + h * head_dim, cosines, sines, 2 * pairs, out + h * head_dim);
  }

  static void turn(const float* x, const float* cosines, const float* sines, uint32_t n, float* out) {
    if constexpr (kLanes == 1) {
      for (uint32_t d = 0; d < n; d += 2) rotate(x[d], x[d + 1], cosines[d], sines[d + 1], out[d], out[d + 1]);
    } else {
      for (uint32_t d = 0; d < n; d += kLanes) {
        const uint32_t left = lanes_left(d, n);
        const F a = Isa::load_partial(x + d, left);
        const F along = Isa::mul(a, Isa::load_partial(cosines + d, left));
        Isa::store_partial(out + d, left, Isa::fma(Isa::swap_pairs(a), Isa::load_partial(sines + d, left), along));
      }
    }
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
