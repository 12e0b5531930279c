#include "text/jinja_scope.h"

#include <algorithm>
#include <map>
#include <utility>

#include "text/jinja_symbols.h"

namespace ingle::jinja {

namespace {

// A function of the program: the template, a macro, a recursive loop, a loop's test. It owns the variables of its level
// and of the levels inside it.
struct Function {
  Function* parent;
  int base_level;
  std::map<std::pair<int, std::string>, uint32_t> slots;
};

struct Frame {
  Symbols symbols;
  Function* function;
  bool in_condition = false;  // what is unknown here fails only if it is reached
  bool toplevel = false;
};

class Resolver {
 public:
  void run(Program* program);

 private:
  void visit(const Body& body, Frame& frame);
  void visit(Stmt& s, Frame& frame);
  void visit(Expr* e, Frame& frame);
  void visit_for(Stmt& s, Frame& frame);
  void visit_loop_body(Stmt& s, Frame& frame, Function* function);
  void visit_if(Stmt& s, Frame& frame);
  void visit_set(Stmt& s, Frame& frame);
  void visit_set_block(Stmt& s, Frame& frame);
  void visit_macro_body(Stmt& s, Frame& frame);
  void declare_specials(Stmt& s, Symbols* symbols);
  void visit_filter_block(Stmt& s, Frame& frame);
  void visit_with(Stmt& s, Frame& frame);
  void visit_block(Stmt& s);

  Frame inner(const Frame& frame, Function* function = nullptr);
  SlotRef ref(int level, const std::string& name, Function* function);
  SlotRef ref(const std::string& name, Frame& frame, int line);
  ScopeCode code(Frame& frame);
  void collect_exports(const Expr* target, Frame& frame, Stmt* s);

  int loops_ = 0;         // loops around the current statement in its function
  int loops_in_all_ = 0;  // and in the functions around that
  uint64_t copied_ = 0;
  std::vector<std::string> block_names_;
};

[[noreturn]] void reject(const std::string& message, int line) {
  throw TemplateError{message, line, ErrorCode::kInvalidData};
}

Frame Resolver::inner(const Frame& frame, Function* function) {
  Symbols symbols(&frame.symbols, frame.symbols.level + 1);
  symbols.copied = &copied_;
  return {std::move(symbols), function ? function : frame.function};
}

SlotRef Resolver::ref(int level, const std::string& name, Function* function) {
  SlotRef r;
  while (function->parent && level < function->base_level) {
    function = function->parent;
    ++r.hops;
  }
  const auto next = static_cast<uint32_t>(function->slots.size());
  r.slot = function->slots.emplace(std::make_pair(level, name), next).first->second;
  return r;
}

SlotRef Resolver::ref(const std::string& name, Frame& frame, int line) {
  const int level = frame.symbols.find(name);
  // Jinja too can't compile a name that appears only in the filter of a set block.
  if (level < 0) reject("the name '" + name + "' can't be resolved here", line);
  return ref(level, name, frame.function);
}

ScopeCode Resolver::code(Frame& frame) {
  ScopeCode code;
  for (const auto& [name, load] : frame.symbols.loads) {
    ScopeCode::Entry entry{load.how, ref(frame.symbols.level, name, frame.function), {}, {}};
    if (load.how == ScopeCode::Load::kAlias) entry.from = ref(load.alias_level, name, frame.function);
    if (load.how == ScopeCode::Load::kResolve) entry.name = name;
    code.entries.push_back(std::move(entry));
  }
  return code;
}

void Resolver::run(Program* program) {
  Function function{nullptr, 0, {}};
  Frame frame{Symbols(nullptr, 0), &function, false, true};
  frame.symbols.copied = &copied_;
  SymbolVisitor(&frame.symbols).visit(program->body);
  program->scope = code(frame);
  visit(program->body, frame);
  program->n_slots = static_cast<uint32_t>(function.slots.size());
}

void Resolver::visit(const Body& body, Frame& frame) {
  for (const StmtPtr& s : body) visit(*s, frame);
}

void Resolver::visit(Expr* e, Frame& frame) {
  if (!e) return;
  if (e->kind == ExprKind::kName || e->kind == ExprKind::kNsRef) {
    if (loops_in_all_ > 0 && e->access == Access::kStore && e->name == "loop") {
      reject("Can't assign to special loop variable in for-loop target", e->line);
    }
    e->slot = ref(e->name, frame, e->line);
  }
  const bool was_in_condition = frame.in_condition;
  if (e->kind == ExprKind::kCond) frame.in_condition = true;
  if (!e->native && !frame.in_condition) {
    if (e->kind == ExprKind::kFilter) reject("No filter named '" + e->name + "'", e->line);
    if (e->kind == ExprKind::kTest) reject("No test named '" + e->name + "'", e->line);
  }
  for (const ExprPtr& child : e->children) visit(child.get(), frame);
  frame.in_condition = was_in_condition;
}

void Resolver::visit(Stmt& s, Frame& frame) {
  switch (s.kind) {
    case StmtKind::kOutput:
      for (const ExprPtr& e : s.exprs) visit(e.get(), frame);
      break;
    case StmtKind::kFor:
      visit_for(s, frame);
      break;
    case StmtKind::kIf:
      visit_if(s, frame);
      break;
    case StmtKind::kSet:
      visit_set(s, frame);
      break;
    case StmtKind::kSetBlock:
      visit_set_block(s, frame);
      break;
    case StmtKind::kMacro:
      visit_macro_body(s, frame);
      s.slot = ref(s.name, frame, s.line);
      if (frame.toplevel) s.exported.emplace_back(s.name, s.slot);
      break;
    case StmtKind::kCallBlock:
      visit_macro_body(s, frame);
      visit(s.exprs[0].get(), frame);
      break;
    case StmtKind::kGeneration:
      visit_macro_body(s, frame);
      break;
    case StmtKind::kFilterBlock:
      visit_filter_block(s, frame);
      break;
    case StmtKind::kWith:
      visit_with(s, frame);
      break;
    case StmtKind::kBlock:
      visit_block(s);
      break;
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      if (loops_ == 0) reject(s.kind == StmtKind::kBreak ? "'break' outside loop" : "'continue' outside loop", s.line);
      break;
    case StmtKind::kInclude:
      if (s.name == "extends" && !frame.toplevel) reject("cannot use extend from a non top-level scope", s.line);
      visit(s.exprs[0].get(), frame);
      break;
  }
}

ExprPtr clone_target(const Expr& e) {
  auto copy = std::make_unique<Expr>(e.kind, e.line);
  copy->access = e.access;
  copy->depth = e.depth;
  copy->name = e.name;
  for (const ExprPtr& child : e.children) copy->children.push_back(clone_target(*child));
  return copy;
}

void Resolver::visit_for(Stmt& s, Frame& frame) {
  s.wants_loop = s.recursive || !find_undeclared(s.body, {"loop"}).empty();
  ++loops_in_all_;
  if (s.exprs[2]) {
    Function function{frame.function, frame.symbols.level + 1, {}};
    Frame test = inner(frame, &function);
    s.exprs.push_back(clone_target(*s.exprs[0]));
    SymbolVisitor visitor(&test.symbols);
    visitor.visit(s.exprs[0].get(), true);
    visitor.visit(s.exprs[2].get());
    s.test_scope = code(test);
    visit(s.exprs[3].get(), test);
    visit(s.exprs[2].get(), test);
    s.n_test_slots = static_cast<uint32_t>(function.slots.size());
  }
  if (s.recursive) {
    Function function{frame.function, frame.symbols.level + 1, {}};
    const int outer_loops = std::exchange(loops_, 0);
    visit_loop_body(s, frame, &function);
    loops_ = outer_loops;
    s.n_slots = static_cast<uint32_t>(function.slots.size());
  } else {
    visit_loop_body(s, frame, frame.function);
  }
  visit(s.exprs[1].get(), frame);
  --loops_in_all_;
}

void Resolver::visit_loop_body(Stmt& s, Frame& frame, Function* function) {
  Frame loop = inner(frame, function);
  if (s.wants_loop) loop.symbols.declare_parameter("loop");
  SymbolVisitor visitor(&loop.symbols);
  visitor.visit(s.exprs[0].get(), true);
  visitor.visit(s.body);
  if (s.wants_loop) s.slot = ref(loop.symbols.level, "loop", function);
  s.scope = code(loop);
  visit(s.exprs[0].get(), loop);
  ++loops_;
  visit(s.body, loop);
  --loops_;

  Frame otherwise = inner(frame, function);
  SymbolVisitor(&otherwise.symbols).visit(s.otherwise);
  s.else_scope = code(otherwise);
  visit(s.otherwise, otherwise);
}

void Resolver::visit_if(Stmt& s, Frame& frame) {
  const bool was_in_condition = std::exchange(frame.in_condition, true);
  visit(s.exprs[0].get(), frame);
  visit(s.body, frame);
  visit(s.elifs, frame);
  visit(s.otherwise, frame);
  frame.in_condition = was_in_condition;
}

void Resolver::collect_exports(const Expr* target, Frame& frame, Stmt* s) {
  if (!frame.toplevel) return;
  if (target->kind == ExprKind::kName) s->exported.emplace_back(target->name, target->slot);
  for (const ExprPtr& child : target->children) collect_exports(child.get(), frame, s);
}

void Resolver::visit_set(Stmt& s, Frame& frame) {
  visit(s.exprs[0].get(), frame);
  visit(s.exprs[1].get(), frame);
  collect_exports(s.exprs[0].get(), frame, &s);
}

void Resolver::visit_set_block(Stmt& s, Frame& frame) {
  Frame block = inner(frame);
  SymbolVisitor(&block.symbols).visit(s.body);
  s.scope = code(block);
  visit(s.body, block);
  visit(s.exprs[0].get(), frame);
  visit(s.exprs[1].get(), block);
  collect_exports(s.exprs[0].get(), frame, &s);
}

// `caller`, `kwargs` and `varargs` exist in a macro that uses them.
void Resolver::declare_specials(Stmt& s, Symbols* symbols) {
  const auto used = find_undeclared(s.body, {"caller", "kwargs", "varargs"});
  const auto param = [&](const char* name) {
    const auto it = std::find_if(s.params.begin(), s.params.end(), [&](const ExprPtr& p) { return p->name == name; });
    return it - s.params.begin();
  };
  const auto n = static_cast<ptrdiff_t>(s.params.size());
  s.names_caller = param("caller") < n;
  if (used.count("caller")) {
    s.takes_caller = true;
    if (!s.names_caller) {
      symbols->declare_parameter("caller");
    } else if (param("caller") < n - static_cast<ptrdiff_t>(s.defaults.size())) {
      reject(
          "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default",
          s.line);
    }
  }
  if (used.count("kwargs") && param("kwargs") == n) {
    s.takes_keywords = true;
    symbols->declare_parameter("kwargs");
  }
  if (used.count("varargs") && param("varargs") == n) {
    s.takes_varargs = true;
    symbols->declare_parameter("varargs");
  }
}

void Resolver::visit_macro_body(Stmt& s, Frame& frame) {
  Function function{frame.function, frame.symbols.level + 1, {}};
  Frame macro = inner(frame, &function);
  const auto analyze = [&] {
    SymbolVisitor visitor(&macro.symbols);
    for (const ExprPtr& p : s.params) visitor.visit(p.get());
    for (const ExprPtr& d : s.defaults) visitor.visit(d.get());
    visitor.visit(s.body);
  };
  analyze();
  declare_specials(s, &macro.symbols);
  analyze();
  const int level = macro.symbols.level;
  for (const ExprPtr& p : s.params) s.param_slots.push_back(ref(level, p->name, &function));
  if (s.takes_caller && !s.names_caller) s.caller_slot = ref(level, "caller", &function);
  if (s.takes_keywords) s.keywords_slot = ref(level, "kwargs", &function);
  if (s.takes_varargs) s.varargs_slot = ref(level, "varargs", &function);
  s.scope = code(macro);
  const int outer_loops = std::exchange(loops_, 0);
  for (const ExprPtr& d : s.defaults) visit(d.get(), macro);
  visit(s.body, macro);
  loops_ = outer_loops;
  s.n_slots = static_cast<uint32_t>(function.slots.size());
}

void Resolver::visit_filter_block(Stmt& s, Frame& frame) {
  Frame block = inner(frame);
  SymbolVisitor visitor(&block.symbols);
  visitor.visit(s.body);
  visitor.visit(s.exprs[0].get());
  s.scope = code(block);
  visit(s.body, block);
  visit(s.exprs[0].get(), block);
}

void Resolver::visit_with(Stmt& s, Frame& frame) {
  Frame with = inner(frame);
  SymbolVisitor visitor(&with.symbols);
  for (size_t i = 0; i < s.exprs.size(); i += 2) visitor.visit(s.exprs[i].get(), true);
  visitor.visit(s.body);
  s.scope = code(with);
  for (size_t i = 0; i < s.exprs.size(); i += 2) {
    visit(s.exprs[i].get(), with);
    visit(s.exprs[i + 1].get(), frame);
  }
  visit(s.body, with);
}

void Resolver::visit_block(Stmt& s) {
  if (std::find(block_names_.begin(), block_names_.end(), s.name) != block_names_.end()) {
    reject("block '" + s.name + "' defined twice", s.line);
  }
  block_names_.push_back(s.name);
  Function function{nullptr, 0, {}};
  Frame frame{Symbols(nullptr, 0), &function};
  frame.symbols.copied = &copied_;
  SymbolVisitor(&frame.symbols).visit(s.body);
  s.scope = code(frame);
  const int outer_loops = std::exchange(loops_, 0);
  visit(s.body, frame);
  loops_ = outer_loops;
  s.n_slots = static_cast<uint32_t>(function.slots.size());
}

}  // namespace

void resolve_names(Program* program) { Resolver().run(program); }

}  // namespace ingle::jinja
