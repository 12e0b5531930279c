#include "text/jinja_interpreter.h"

#include <algorithm>

namespace ingle::jinja {

Interpreter::Interpreter(const Program& program, const Value& variables, Budget* b, size_t max_output_bytes)
    : Runtime(b), program_(program), variables_(variables), max_output_bytes_(max_output_bytes) {
  add_globals(*this, &globals_);
}

Interpreter::~Interpreter() {
  empty_kept();
  for (auto& a : activations_) a->slots.clear();
}

std::string Interpreter::run() {
  try {
    Capture text(this);
    Running root(this, nullptr, program_.n_slots);
    enter(program_.scope, root.get());
    exec(program_.body, root.get());
    return std::move(text.text);
  } catch (TemplateError& e) {
    if (e.line == 0) e.line = line_;
    throw;
  }
}

void Interpreter::write(std::string_view text) {
  budget.copy(text.size());
  budget.charge(text.size());
  out_->charged += text.size();
  if (out_->text.size() + text.size() > max_output_bytes_) fail_limit("the template writes more text than it may");
  out_->text += text;
}

void Interpreter::write_text(const Value& v) {
  if (!v.is_string()) fail(std::string("expected a string to write, found ") + v.type_name());
  write(v.text());
}

Value Interpreter::resolve(const std::string& name) const {
  if (const Value* v = exported_.find(name)) return *v;
  if (const Value* v = variables_.dict_object().find(name)) return *v;
  if (const Value* v = globals_.find(name)) return *v;
  return {};
}

void Interpreter::enter(const ScopeCode& code, Activation* a) {
  for (const ScopeCode::Entry& e : code.entries) {
    switch (e.load) {
      case ScopeCode::Load::kParam:
        break;
      case ScopeCode::Load::kResolve:
        at(a, e.slot) = resolve(e.name);
        break;
      case ScopeCode::Load::kAlias:
        at(a, e.slot) = at(a, e.from);
        break;
      case ScopeCode::Load::kMissing:
        at(a, e.slot) = Value();
        break;
    }
  }
}

void Interpreter::leave(const ScopeCode& code, Activation* a) {
  for (const ScopeCode::Entry& e : code.entries) at(a, e.slot) = Value();
}

Interpreter::Flow Interpreter::exec(const Body& body, Activation* a) {
  for (const StmtPtr& s : body) {
    const Flow flow = exec(*s, a);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::exec(const Stmt& s, Activation* a) {
  Level guard(this);
  budget.step();
  line_ = s.line;
  switch (s.kind) {
    case StmtKind::kOutput:
      exec_output(s, a);
      break;
    case StmtKind::kFor:
      return exec_for(s, a);
    case StmtKind::kIf:
      return exec_if(s, a);
    case StmtKind::kSet:
      exec_set(s, a);
      break;
    case StmtKind::kSetBlock:
      return exec_set_block(s, a);
    case StmtKind::kMacro:
      exec_macro(s, a);
      break;
    case StmtKind::kCallBlock:
    case StmtKind::kGeneration:
      exec_call_block(s, a);
      break;
    case StmtKind::kFilterBlock:
      return exec_filter_block(s, a);
    case StmtKind::kWith:
      return exec_with(s, a);
    case StmtKind::kBlock:
      exec_block(s);
      break;
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
    case StmtKind::kInclude:
      fail("'" + s.name + "' needs another template, and a chat template has none");
  }
  return Flow::kNormal;
}

void Interpreter::exec_output(const Stmt& s, Activation* a) {
  for (const ExprPtr& e : s.exprs) {
    if (e->kind == ExprKind::kData) {
      write(e->value.text());
      continue;
    }
    const Value v = eval(*e, a);
    if (v.is_string()) {
      write(v.text());
    } else {
      write(to_str(v));
    }
  }
}

Interpreter::Flow Interpreter::exec_if(const Stmt& s, Activation* a) {
  if (eval(*s.exprs[0], a).truthy()) return exec(s.body, a);
  for (const StmtPtr& elif : s.elifs) {
    budget.step();
    if (eval(*elif->exprs[0], a).truthy()) return exec(elif->body, a);
  }
  return exec(s.otherwise, a);
}

Interpreter::Flow Interpreter::exec_for(const Stmt& s, Activation* a) {
  Value iterable = eval(*s.exprs[1], a);
  if (!s.recursive) return run_loop(s, std::move(iterable), a, a, 0);
  write(recurse(s, iterable, a, 0));
  return Flow::kNormal;
}

// One rendering of a recursive loop over `iterable`.
std::string Interpreter::recurse(const Stmt& s, const Value& iterable, Activation* outer, int depth) {
  Level guard(this);
  Capture text(this);
  capture(outer);
  Running function(this, outer, s.n_slots);
  run_loop(s, iterable, outer, function.get(), depth);
  return std::move(text.text);
}

Value Interpreter::call_loop(const Value& loop, Args& args) {
  const auto& l = loop.as<LoopObj>();
  if (!l.definition) fail("The loop must have the 'recursive' marker to be called recursively.");
  const Bound b("loop", args, {"iterable"}, 1);
  return str(recurse(*l.definition, b[0], l.outer, l.depth0 + 1));
}

// The items of `iterable` that pass the loop's test, which is run only as they are asked for.
Value Interpreter::filtered(const Stmt& s, Value iterable, Activation* outer) {
  capture(outer);
  const int depth = iterable.depth();
  auto source = std::make_shared<Cursor>(*this, std::move(iterable));
  auto a = std::make_shared<Activation>(&budget, outer, s.n_test_slots);
  return generator(
      [this, &s, source, a, entered = false](Runtime&, Value* out) mutable {
        if (!std::exchange(entered, true)) enter(s.test_scope, a.get());
        while (source->next(out)) {
          assign(*s.exprs[3], *out, a.get());
          if (!eval(*s.exprs[2], a.get()).truthy()) continue;
          // A target of several names gives a tuple of their values, whatever was unpacked.
          if (s.exprs[3]->kind == ExprKind::kTuple) *out = eval(*s.exprs[3], a.get());
          return true;
        }
        return false;
      },
      depth);
}

namespace {

struct LoopGuard {
  LoopObj* loop;
  ~LoopGuard() {
    if (loop) loop->clear();
  }
};

}  // namespace

Interpreter::Flow Interpreter::run_loop(const Stmt& s, Value iterable, Activation* outer, Activation* a, int depth) {
  if (s.exprs[2]) iterable = filtered(s, std::move(iterable), outer);
  Value loop_value;
  LoopObj* loop = nullptr;
  if (s.wants_loop) {
    loop = new LoopObj(this, iterable, depth);
    loop_value = adopt(loop, sizeof(LoopObj));
    loop->depth = depth_over(iterable.depth());
    if (s.recursive) {
      loop->definition = &s;
      loop->outer = outer;
    }
  }
  LoopGuard guard{loop};
  Cursor cursor(*this, loop ? Value::tuple({}) : std::move(iterable));
  bool completed_a_round = false;
  Value item;
  while (loop ? loop->next(&item) : cursor.next(&item)) {
    budget.step();
    assign(*s.exprs[0], std::move(item), a);
    if (loop) at(a, s.slot) = loop_value;
    enter(s.scope, a);
    const Flow flow = exec(s.body, a);
    if (flow == Flow::kBreak) break;
    // As in Jinja, a round cut short by `continue` does not keep the else branch from running.
    if (flow == Flow::kNormal) completed_a_round = true;
  }
  leave(s.scope, a);
  if (completed_a_round || s.otherwise.empty()) return Flow::kNormal;
  enter(s.else_scope, a);
  const Flow flow = exec(s.otherwise, a);
  leave(s.else_scope, a);
  return flow;
}

void Interpreter::check_namespaces(const Expr& target, Activation* a) {
  if (target.kind == ExprKind::kNsRef && !at(a, target.slot).is(Kind::kNamespace)) {
    fail("cannot assign attribute on non-namespace object");
  }
  for (const ExprPtr& child : target.children) check_namespaces(*child, a);
}

void Interpreter::assign(const Expr& target, Value value, Activation* a) {
  if (target.kind == ExprKind::kName) {
    at(a, target.slot) = std::move(value);
    return;
  }
  if (target.kind == ExprKind::kNsRef) {
    const Value ns = at(a, target.slot);
    if (!ns.is(Kind::kNamespace)) fail("cannot assign attribute on non-namespace object");
    if (target.attribute[0] == '_')
      fail("a namespace can't have the attribute '" + target.attribute + "': it begins with an underscore");
    set_attribute(*this, ns, str(target.attribute), std::move(value));
    return;
  }
  const size_t n = target.children.size();
  Cursor items(*this, std::move(value));
  Items parts;
  Value part;
  while (parts.size() < n && items.next(&part)) parts.push_back(std::move(part));
  if (parts.size() < n) {
    fail("not enough values to unpack (expected " + std::to_string(n) + ", got " + std::to_string(parts.size()) + ")");
  }
  if (items.next(&part)) fail("too many values to unpack (expected " + std::to_string(n) + ")");
  for (size_t i = 0; i < n; ++i) assign(*target.children[i], std::move(parts[i]), a);
}

void Interpreter::export_names(const Stmt& s, Activation* a) {
  for (const auto& [name, slot] : s.exported) exported_.set(Value::string(name), at(a, slot));
}

void Interpreter::exec_set(const Stmt& s, Activation* a) {
  check_namespaces(*s.exprs[0], a);
  assign(*s.exprs[0], eval(*s.exprs[1], a), a);
  export_names(s, a);
}

Interpreter::Flow Interpreter::exec_set_block(const Stmt& s, Activation* a) {
  enter(s.scope, a);
  Value value;
  {
    Capture text(this);
    const Flow flow = exec(s.body, a);
    if (flow != Flow::kNormal) return flow;
    value = str(std::move(text.text));
  }
  if (s.exprs[1]) value = eval_filter(*s.exprs[1], a, &value);
  assign(*s.exprs[0], std::move(value), a);
  leave(s.scope, a);
  export_names(s, a);
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::exec_filter_block(const Stmt& s, Activation* a) {
  enter(s.scope, a);
  Value text;
  {
    Capture captured(this);
    const Flow flow = exec(s.body, a);
    if (flow != Flow::kNormal) return flow;
    text = str(std::move(captured.text));
  }
  write_text(eval_filter(*s.exprs[0], a, &text));
  leave(s.scope, a);
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::exec_with(const Stmt& s, Activation* a) {
  enter(s.scope, a);
  for (size_t i = 0; i < s.exprs.size(); i += 2) assign(*s.exprs[i], eval(*s.exprs[i + 1], a), a);
  const Flow flow = exec(s.body, a);
  if (flow == Flow::kNormal) leave(s.scope, a);
  return flow;
}

void Interpreter::exec_block(const Stmt& s) {
  Running function(this, nullptr, s.n_slots);
  enter(s.scope, function.get());
  exec(s.body, function.get());
}

Value Interpreter::make_macro(const Stmt& s, Activation* a) {
  capture(a);
  return adopt(new MacroObj(&s, a), sizeof(MacroObj));
}

void Interpreter::exec_macro(const Stmt& s, Activation* a) {
  at(a, s.slot) = make_macro(s, a);
  export_names(s, a);
}

void Interpreter::exec_call_block(const Stmt& s, Activation* a) {
  const Value caller = make_macro(s, a);
  if (s.kind == StmtKind::kCallBlock) return write_text(eval_call(*s.exprs[0], a, &caller));
  Args none;
  write_text(call_macro(caller, none));
}

namespace {

// Takes the keyword argument `name` out of the arguments; missing when it was not given.
Value take_keyword(Args& args, const std::string& name) {
  for (auto it = args.keyword.begin(); it != args.keyword.end(); ++it) {
    if (it->first != name) continue;
    Value v = std::move(it->second);
    args.keyword.erase(it);
    return v;
  }
  return {};
}

}  // namespace

Value Interpreter::call_macro(const Value& macro, Args& args) {
  Level guard(this);
  const Stmt& s = *macro.as<MacroObj>().definition;
  Running function(this, macro.as<MacroObj>().closure, s.n_slots);
  Activation* a = function.get();
  const size_t n = s.params.size(), given = std::min(n, args.positional.size());
  budget.step(n * args.keyword.size());
  for (size_t i = 0; i < n; ++i) {
    at(a, s.param_slots[i]) = i < given ? args.positional[i] : take_keyword(args, s.params[i]->name);
  }
  if (s.takes_caller && !s.names_caller) {
    Value caller = take_keyword(args, "caller");
    at(a, s.caller_slot) = caller.is_missing() || caller.is_none() ? undefined("No caller defined") : std::move(caller);
  }
  if (s.takes_keywords) {
    Entries keywords;
    for (auto& [name, value] : args.keyword) keywords.emplace_back(str(name), std::move(value));
    at(a, s.keywords_slot) = dict(std::move(keywords));
  } else if (!args.keyword.empty()) {
    fail("macro '" + s.name + "' takes no keyword argument '" + args.keyword[0].first + "'");
  }
  if (s.takes_varargs) {
    at(a, s.varargs_slot) = tuple(Items(args.positional.begin() + given, args.positional.end()));
  } else if (args.positional.size() > n) {
    fail("macro '" + s.name + "' takes not more than " + std::to_string(n) + " argument(s)");
  }

  Capture text(this);
  enter(s.scope, a);
  for (size_t i = 0; i < n; ++i) {
    Value& param = at(a, s.param_slots[i]);
    if (!param.is_missing()) continue;
    const size_t first_default = n - s.defaults.size();
    param = i < first_default ? undefined("parameter '" + s.params[i]->name + "' was not provided")
                              : eval(*s.defaults[i - first_default], a);
  }
  exec(s.body, a);
  return str(std::move(text.text));
}

}  // namespace ingle::jinja
