"""Three machines, as far as one can have them: network namespaces with homes of their own."""
