// The variables of one stretch of code while names are resolved (jinja_scope.cpp).
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja_ast.h"

namespace ingle::jinja {

// A variable is known by its name and the level of the stretch of code that it belongs to.
struct Symbols {
  struct Load {
    ScopeCode::Load how;
    int alias_level = 0;
  };
  using Loads = std::map<std::string, Load>;

  Symbols(const Symbols* p, int l) : parent(p), level(l) {}

  // The level whose variable `name` means here; -1 when it means none yet.
  int find(const std::string& name) const;
  const Load* find_load(const std::string& name, int at_level) const;
  void store(const std::string& name);
  void load(const std::string& name);
  void declare_parameter(const std::string& name);
  // Takes over what the branches of an `if` found out.
  void merge(const std::vector<Symbols>& branches);

  const Symbols* parent;
  int level;
  Loads loads;  // also the set of names that have a variable at this level
  std::set<std::string> stores;
  uint64_t* copied = nullptr;  // counts the entries that copying branches has cost
};

// Enters into `symbols` what the statements and expressions use, without looking into code that has its own variables.
class SymbolVisitor {
 public:
  explicit SymbolVisitor(Symbols* symbols) : symbols_(symbols) {}
  void visit(const Body& body);
  void visit(const Stmt& stmt);
  void visit(const Expr* expr, bool as_parameter = false);

 private:
  void visit_if(const Stmt& stmt);
  Symbols* symbols_;
};

// Which of `names` the code uses without having assigned them before.
std::set<std::string> find_undeclared(const Body& body, std::set<std::string> names);

}  // namespace ingle::jinja
