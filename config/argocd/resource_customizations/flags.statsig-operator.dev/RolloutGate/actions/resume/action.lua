-- Taken out, not set to false: an application that does not mention it stays as it is in Git.
obj.spec.suspend = nil
return obj
