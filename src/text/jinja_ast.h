// The tree of a chat template. The parser makes it, the resolver (jinja_scope.h) settles once which variable each name
// means, and after that nobody changes it: any number of renderings may walk it at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/jinja_runtime.h"
#include "text/jinja_value.h"

namespace ingle::jinja {

enum class ExprKind : uint8_t {
  kData,     // template text: `value` is a string
  kConst,    // `value`
  kName,     // `name`, `slot`, `access`
  kNsRef,    // assignment target name.attribute: `name`, `slot`, `attribute`
  kTuple,    // children
  kList,     // children
  kDict,     // children: key, value, key, value
  kCond,     // test, then, otherwise (may be null)
  kUnary,    // op
  kBinary,   // op, two children
  kConcat,   // children
  kCompare,  // first, then one operand for each of `ops`
  kGetAttr,  // object; `name`
  kGetItem,  // object, key
  kSlice,    // start, stop, step, each may be null; only as the key of a kGetItem
  kCall,     // callee, then the arguments
  kFilter,   // subject (null for a block's text), then the arguments; `name`, `native`
  kTest,     // subject, then the arguments; `name`, `native`
};

enum class Access : uint8_t { kLoad, kStore, kParam };

// A variable: `slot` of the function `hops` functions further out.
struct SlotRef {
  uint16_t hops = 0;
  uint32_t slot = 0;
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  Expr(ExprKind k, int l) : kind(k), line(l) {}
  ExprKind kind;
  Op op = Op::kNone;
  Access access = Access::kLoad;
  int line;
  int depth = 1;
  SlotRef slot;
  NativeFn native = nullptr;  // of a filter or test; null when there is none of that name
  std::string name;
  std::string attribute;
  Value value;
  std::vector<ExprPtr> children;
  std::vector<Op> ops;
  // Arguments follow the subject in `children`: positional, one per keyword, *args, **kwargs.
  uint32_t n_positional = 0;
  std::vector<std::string> keywords;
  bool has_var_args = false, has_var_keywords = false;
};

enum class StmtKind : uint8_t {
  kOutput,       // exprs: what to print
  kFor,          // exprs: target, iterable, test (may be null), the target again as the test sees it; body, otherwise
  kIf,           // exprs: test; body, elifs (each a kIf without elifs), otherwise
  kSet,          // exprs: target, value
  kSetBlock,     // exprs: target, filter (may be null); body
  kMacro,        // `name`, params, body
  kCallBlock,    // exprs: call; params, body
  kGeneration,   // body: the marked output of the assistant, which is printed like any other
  kFilterBlock,  // exprs: filter; body
  kWith,         // exprs: target, value, target, value ...; body
  kBlock,        // `name`, body
  kBreak,
  kContinue,
  kInclude,  // anything that needs another template: fails when it is run. `names`: the variables it would set
};

// What a stretch of code with variables of its own does as it is entered and left.
struct ScopeCode {
  enum class Load : uint8_t { kParam, kResolve, kAlias, kMissing };
  struct Entry {
    Load load;
    SlotRef slot;
    SlotRef from;      // of an alias
    std::string name;  // what to ask the rendering's variables for
  };
  std::vector<Entry> entries;
};

struct Stmt;
using StmtPtr = std::unique_ptr<Stmt>;
using Body = std::vector<StmtPtr>;

struct Stmt {
  Stmt(StmtKind k, int l) : kind(k), line(l) {}
  StmtKind kind;
  int line;
  std::string name;
  std::vector<ExprPtr> exprs;
  std::vector<ExprPtr> params;    // names
  std::vector<ExprPtr> defaults;  // of the last parameters
  Body body, otherwise, elifs;
  std::vector<std::string> names;

  bool recursive = false;   // a for loop that may call itself
  bool wants_loop = false;  // a for loop whose body uses `loop`
  bool takes_caller = false, takes_keywords = false,
       takes_varargs = false;  // a macro that uses them without naming them
  bool names_caller = false;   // a macro with a parameter called caller
  ScopeCode scope, test_scope, else_scope;
  SlotRef slot;  // of `loop`, or of the macro's name
  std::vector<SlotRef> param_slots;
  SlotRef caller_slot, keywords_slot, varargs_slot;
  uint32_t n_slots = 0;       // variables of the function: a macro, a recursive loop, a block
  uint32_t n_test_slots = 0;  // of the function that a loop's test is
  // Variables set at the top of the template, which its blocks see too.
  std::vector<std::pair<std::string, SlotRef>> exported;
};

struct Program {
  Body body;
  ScopeCode scope;
  uint32_t n_slots = 0;
};

}  // namespace ingle::jinja
