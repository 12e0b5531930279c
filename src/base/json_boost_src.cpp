// The one place where Boost.JSON is compiled: as headers, so that no Boost library need be there for a cross build.
#include <boost/json/src.hpp>
