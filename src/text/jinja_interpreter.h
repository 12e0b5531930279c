// Runs the tree of a chat template. One Interpreter is one rendering on one thread; the tree may be shared.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_ast.h"
#include "text/jinja_runtime.h"

namespace ingle::jinja {

// The variables of a function that is running, or that a macro still needs after it ran.
struct Activation {
  Activation(Budget* b, Activation* p, uint32_t n) : budget(b), parent(p) {
    budget->charge(bytes(n));
    slots.resize(n);
  }
  ~Activation() { budget->release(bytes(slots.size())); }
  Activation(const Activation&) = delete;
  Activation& operator=(const Activation&) = delete;
  static size_t bytes(size_t n) { return sizeof(Activation) + n * sizeof(Value); }

  Budget* budget;
  Activation* parent;
  std::vector<Value> slots;
  bool is_captured = false;  // something may use it after its function has returned
};

class Interpreter final : public Runtime {
 public:
  // `variables` (a dict) are what the template may name besides the built-in functions.
  Interpreter(const Program& program, const Value& variables, Budget* budget, size_t max_output_bytes);
  ~Interpreter() override;

  // The rendered text. Throws TemplateError.
  std::string run();

 private:
  enum class Flow : uint8_t { kNormal, kBreak, kContinue };

  // Where output goes: the rendering's text, or text that a macro or block captures.
  struct Capture {
    explicit Capture(Interpreter* i) : owner(i), outer(std::exchange(i->out_, this)) {}
    ~Capture() {
      owner->out_ = outer;
      owner->budget.release(charged);
    }
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    Interpreter* owner;
    Capture* outer;
    std::string text;
    size_t charged = 0;
  };
  void write(std::string_view text);
  void write_text(const Value& v);  // of something that must be a string already

  // The activation of a function for as long as it runs; kept until the end of the rendering when it was captured.
  struct Running {
    Running(Interpreter* i, Activation* parent, uint32_t n_slots)
        : owner(i), activation(std::make_unique<Activation>(&i->budget, parent, n_slots)) {}
    ~Running() {
      if (activation->is_captured) owner->activations_.push_back(std::move(activation));
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    Activation* get() const { return activation.get(); }
    Interpreter* owner;
    std::unique_ptr<Activation> activation;
  };
  static void capture(Activation* a) {
    for (; a && !a->is_captured; a = a->parent) a->is_captured = true;
  }
  static Value& at(Activation* a, SlotRef ref) {
    for (uint16_t i = ref.hops; i > 0; --i) a = a->parent;
    return a->slots[ref.slot];
  }
  void enter(const ScopeCode& code, Activation* a);
  void leave(const ScopeCode& code, Activation* a);
  Value resolve(const std::string& name) const;

  // jinja_interpreter.cpp: statements
  Flow exec(const Body& body, Activation* a);
  Flow exec(const Stmt& s, Activation* a);
  void exec_output(const Stmt& s, Activation* a);
  Flow exec_if(const Stmt& s, Activation* a);
  Flow exec_for(const Stmt& s, Activation* a);
  Flow run_loop(const Stmt& s, Value iterable, Activation* outer, Activation* a, int depth);
  Value filtered(const Stmt& s, Value iterable, Activation* outer);
  void exec_set(const Stmt& s, Activation* a);
  Flow exec_set_block(const Stmt& s, Activation* a);
  Flow exec_filter_block(const Stmt& s, Activation* a);
  Flow exec_with(const Stmt& s, Activation* a);
  void exec_call_block(const Stmt& s, Activation* a);
  void exec_block(const Stmt& s);
  void exec_macro(const Stmt& s, Activation* a);
  void check_namespaces(const Expr& target, Activation* a);
  void assign(const Expr& target, Value value, Activation* a);
  void export_names(const Stmt& s, Activation* a);
  Value make_macro(const Stmt& s, Activation* a);
  std::string recurse(const Stmt& s, const Value& iterable, Activation* outer, int depth);
  Value call_macro(const Value& macro, Args& args) override;
  Value call_loop(const Value& loop, Args& args) override;

  // jinja_eval.cpp: expressions
  Value eval(const Expr& e, Activation* a);
  Value eval_name(const Expr& e, Activation* a);
  Value eval_container(const Expr& e, Activation* a);
  Value eval_cond(const Expr& e, Activation* a);
  Value eval_unary(const Expr& e, Activation* a);
  Value eval_binary(const Expr& e, Activation* a);
  Value eval_concat(const Expr& e, Activation* a);
  Value eval_compare(const Expr& e, Activation* a);
  Value eval_get_item(const Expr& e, Activation* a);
  Value eval_call(const Expr& e, Activation* a, const Value* caller);
  Value eval_filter(const Expr& e, Activation* a, const Value* subject);
  Value eval_test(const Expr& e, Activation* a);
  void eval_arguments(const Expr& e, Activation* a, Args* args);

  // Bounds how deep evaluation, macros and blocks may run into each other.
  struct Level {
    explicit Level(Interpreter* i) : owner(i) {
      if (++i->level_ > kMaxLevel) fail_limit("the template calls itself too deep");
    }
    ~Level() { --owner->level_; }
    Interpreter* owner;
  };
  static constexpr int kMaxLevel = 1500;

  const Program& program_;
  DictObj globals_;
  const Value variables_;
  DictObj exported_;
  Capture* out_ = nullptr;
  size_t max_output_bytes_;
  int level_ = 0;
  int line_ = 0;
  std::vector<std::unique_ptr<Activation>> activations_;
};

struct MacroObj final : Object {
  MacroObj(const Stmt* d, Activation* c) : Object(Kind::kMacro), definition(d), closure(c) {}
  const Stmt* definition;
  Activation* closure;  // lives as long as the rendering
};

struct LoopObj final : Object {
  LoopObj(Runtime* rt, const Value& iterable, int d);
  bool next(Value* out);
  bool peek();  // is there an item after the current one?
  int64_t length();
  void clear();  // drops what it holds, as the loop ends: a loop must not keep itself alive
  Value iterable;
  Cursor cursor;
  int64_t index0 = -1;
  int64_t known_length = -1;
  Value after, current, before, last_changed;  // missing where there is none
  int depth0;
  // Of a recursive loop:
  const Stmt* definition = nullptr;
  Activation* outer = nullptr;
};

std::string loop_repr(const Value& loop);
std::string macro_repr(const Value& macro);

}  // namespace ingle::jinja
