#include "text/jinja_symbols.h"

namespace ingle::jinja {

int Symbols::find(const std::string& name) const {
  for (const Symbols* s = this; s; s = s->parent) {
    if (s->loads.count(name)) return s->level;
  }
  return -1;
}

const Symbols::Load* Symbols::find_load(const std::string& name, int at_level) const {
  for (const Symbols* s = this; s; s = s->parent) {
    if (s->level != at_level) continue;
    auto it = s->loads.find(name);
    return it == s->loads.end() ? nullptr : &it->second;
  }
  return nullptr;
}

void Symbols::store(const std::string& name) {
  stores.insert(name);
  if (loads.count(name)) return;
  const int outer = parent ? parent->find(name) : -1;
  loads[name] = outer >= 0 ? Load{ScopeCode::Load::kAlias, outer} : Load{ScopeCode::Load::kMissing};
}

void Symbols::load(const std::string& name) {
  if (find(name) < 0) loads[name] = {ScopeCode::Load::kResolve};
}

void Symbols::declare_parameter(const std::string& name) {
  stores.insert(name);
  loads[name] = {ScopeCode::Load::kParam};
}

void Symbols::merge(const std::vector<Symbols>& branches) {
  std::set<std::string> stored;
  for (const Symbols& b : branches) stored.insert(b.stores.begin(), b.stores.end());
  for (const std::string& name : stores) stored.erase(name);
  for (const Symbols& b : branches) {
    for (const auto& [name, load] : b.loads) loads[name] = load;
    stores.insert(b.stores.begin(), b.stores.end());
  }
  // Assigned in a branch only: without that branch the variable must still be what it is outside.
  for (const std::string& name : stored) {
    const int outer = parent ? parent->find(name) : -1;
    loads[name] = outer >= 0 ? Load{ScopeCode::Load::kAlias, outer} : Load{ScopeCode::Load::kResolve};
  }
}

void SymbolVisitor::visit(const Body& body) {
  for (const StmtPtr& stmt : body) visit(*stmt);
}

void SymbolVisitor::visit(const Expr* e, bool as_parameter) {
  if (!e) return;
  if (e->kind == ExprKind::kName) {
    if (as_parameter || e->access == Access::kParam) {
      symbols_->declare_parameter(e->name);
    } else if (e->access == Access::kStore) {
      symbols_->store(e->name);
    } else {
      symbols_->load(e->name);
    }
  } else if (e->kind == ExprKind::kNsRef) {
    symbols_->load(e->name);
  }
  for (const ExprPtr& child : e->children) visit(child.get(), as_parameter);
}

void SymbolVisitor::visit(const Stmt& s) {
  switch (s.kind) {
    case StmtKind::kOutput:
      for (const ExprPtr& e : s.exprs) visit(e.get());
      break;
    case StmtKind::kFor:
      visit(s.exprs[1].get());
      break;
    case StmtKind::kIf:
      visit_if(s);
      break;
    case StmtKind::kSet:
      visit(s.exprs[1].get());
      visit(s.exprs[0].get());
      break;
    case StmtKind::kSetBlock:
    case StmtKind::kCallBlock:
    case StmtKind::kFilterBlock:
      visit(s.exprs[0].get());
      break;
    case StmtKind::kMacro:
      symbols_->store(s.name);
      break;
    case StmtKind::kWith:
      for (size_t i = 1; i < s.exprs.size(); i += 2) visit(s.exprs[i].get());
      break;
    case StmtKind::kInclude:
      visit(s.exprs[0].get());
      for (const std::string& name : s.names) symbols_->store(name);
      break;
    case StmtKind::kGeneration:
    case StmtKind::kBlock:
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      break;
  }
}

void SymbolVisitor::visit_if(const Stmt& s) {
  visit(s.exprs[0].get());
  Symbols* const original = symbols_;
  std::vector<Symbols> branches;
  branches.reserve(3);
  const auto branch = [&](const Body& body) {
    if (original->copied && (*original->copied += original->loads.size() + 1) > 20'000'000) {
      fail_limit("the template uses too many variables in too many conditions");
    }
    branches.push_back(*original);
    symbols_ = &branches.back();
    visit(body);
    symbols_ = original;
  };
  branch(s.body);
  branch(s.elifs);
  branch(s.otherwise);
  symbols_->merge(branches);
}

namespace {

class UndeclaredVisitor {
 public:
  explicit UndeclaredVisitor(std::set<std::string> names) : names_(std::move(names)) {}
  void visit(const Body& body) {
    for (const StmtPtr& s : body) visit(*s);
  }
  std::set<std::string> take() { return std::move(undeclared_); }

 private:
  void visit(const Expr* e) {
    if (!e) return;
    if (e->kind == ExprKind::kName) {
      if (e->access == Access::kLoad && names_.count(e->name)) {
        undeclared_.insert(e->name);
      } else {
        names_.erase(e->name);
      }
    }
    for (const ExprPtr& child : e->children) visit(child.get());
  }
  void visit(const std::vector<ExprPtr>& list) {
    for (const ExprPtr& e : list) visit(e.get());
  }
  void visit(const Stmt& s) {
    if (s.kind == StmtKind::kBlock) return;
    if (s.kind == StmtKind::kFor) {
      visit(s.exprs[0].get());
      visit(s.exprs[1].get());
      visit(s.body);
      visit(s.otherwise);
      return visit(s.exprs[2].get());
    }
    if (s.kind == StmtKind::kFilterBlock) {
      visit(s.body);
      return visit(s.exprs);
    }
    visit(s.exprs);
    visit(s.params);
    visit(s.defaults);
    visit(s.body);
    visit(s.elifs);
    visit(s.otherwise);
  }

  std::set<std::string> names_, undeclared_;
};

}  // namespace

std::set<std::string> find_undeclared(const Body& body, std::set<std::string> names) {
  UndeclaredVisitor visitor(std::move(names));
  visitor.visit(body);
  return visitor.take();
}

}  // namespace ingle::jinja
