#include <cstdio>

int main() {
  std::puts("ingle " INGLE_VERSION);
  return 0;
}
